"""The broker: decide, log the intent, issue, log the outcome, hand over."""
