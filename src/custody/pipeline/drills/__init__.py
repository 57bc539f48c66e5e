"""Drills: a break-glass and an incident, played to the end by the code that an emergency uses, and scored."""
