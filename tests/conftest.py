"""What holds for the whole suite."""

import gc

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Ten thousand collected tests live to the end: a garbage collector that walks them each time finds nothing."""
    gc.collect()
    gc.freeze()
