"""One file a question, found by module scan."""
