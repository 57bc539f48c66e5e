"""Incidents: opened, asked about, decided, done, closed; each step sealed in the right one of the two logs."""
