"""One file a kind of log, found by module scan."""
