"""One expectation a file: what a source would hold if nothing of it were missing."""
