"""What the broker knows: a fold over its own log, and tables that keep it."""
