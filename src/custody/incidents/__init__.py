"""Incidents: one record from the first alert to re-enablement, folded from sealed steps and judged by the chains."""
