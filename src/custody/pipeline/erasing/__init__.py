"""Erasure under retention, and the holds that forbid it."""
