"""Reviews of access: opened, signed, shown, closed."""
