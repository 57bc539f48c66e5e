"""The sealed log, one file a specification."""
