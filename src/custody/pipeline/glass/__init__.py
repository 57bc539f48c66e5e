"""Break-glass as people use it: prepare, open, take in, rotate, review; and the drill that plays it."""
