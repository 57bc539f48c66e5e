"""One declared join a file."""
