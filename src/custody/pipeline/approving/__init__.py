"""Approving: requests as they are sealed, and the decisions of people about them, for command line and service."""
