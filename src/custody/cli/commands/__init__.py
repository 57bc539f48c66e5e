"""The commands, one file each; loaded by name."""
