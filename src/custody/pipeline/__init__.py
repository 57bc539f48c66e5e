"""One file a use case; no logic of its own."""
