"""What holds for the whole suite."""

import gc
import os
import shutil
import sys
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine makes no test wrong
hypothesis.settings.load_profile("untimed")

MEMORY = Path("/dev/shm")  # pytest makes a folder there that is its owner's alone
"""A file system in memory, where Linux has one."""
ROOM = 8 * 2**30
"""So much must be free there: what a whole run leaves behind is a small part of it."""
TEMPORARY = "PYTEST_DEBUG_TEMPROOT"
"""The variable by which pytest is told where its temporary folders go."""


def _in_memory() -> bool:
    """Whether temporary folders go into memory: nobody said another place, and there is plenty of it."""
    return TEMPORARY not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM


if _in_memory():  # a store syncs at every commit: on a disk the tests would mostly wait for it
    os.environ[TEMPORARY] = str(MEMORY)

# Rewritten assertions, and the modules that every subprocess imports, are compiled once and kept beside their source:
# without that each run compiles all of them again, in each of its processes.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Ten thousand collected tests live to the end: a garbage collector that walks them each time finds nothing."""
    gc.collect()
    gc.freeze()
