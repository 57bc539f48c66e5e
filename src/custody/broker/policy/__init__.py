"""What may be asked for: Cedar policies at request time."""
