"""The command line: a door, no logic of its own."""
