"""Settings by flag, environment and file, and the contract file."""
