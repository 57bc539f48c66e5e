"""The project's own sample logs: an invented company, its machines, its people, and what went wrong on one day."""

from custody.pipeline.sample.truth import Story, Truth
from custody.pipeline.sample.write import write_sample

__all__ = ["Story", "Truth", "write_sample"]
