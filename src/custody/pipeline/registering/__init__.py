"""The register in use: documents sealed, checked, exported, and shown as they were known at a time."""
