"""One file a format, found by module scan."""
