"""Approvals: what a decision of a person is, who may give one, what it weighs, and the watch over their log."""
