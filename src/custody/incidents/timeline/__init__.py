"""Everything that happened, of every source, in one order."""
