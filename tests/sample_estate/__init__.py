"""The project's own sample logs: an invented company, its machines, its people, and what went wrong on one day."""

from tests.sample_estate.truth import Story, Truth
from tests.sample_estate.write import write_sample

__all__ = ["Story", "Truth", "write_sample"]
