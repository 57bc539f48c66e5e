"""Break-glass: credentials that are sealed for the time when no broker is there, opened by two people."""
