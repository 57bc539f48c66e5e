"""One file a kind of life: what happens, in which order, and what of it each system records."""
