"""Waiting for the lock of a store: as long as was asked for, and no longer."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from custody.errors import StoreLocked
from custody.store.lock import Lock, hold, lock_store
from custody.store.writer import Writer

NOW = "2026-11-22T10:00:00Z"


def test_without_a_wait_it_is_an_error_at_once(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    started = time.monotonic()
    with pytest.raises(StoreLocked):
        hold(tmp_path / "lock")
    assert time.monotonic() - started < 0.1
    lock.release()
    hold(tmp_path / "lock").release()


def test_it_waits_as_long_as_asked(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    started = time.monotonic()
    with pytest.raises(StoreLocked):
        hold(tmp_path / "lock", 0.1)
    assert time.monotonic() - started >= 0.1
    lock.release()


@pytest.mark.parametrize("what", ["lock", "store", "writer"])
def test_it_has_the_lock_when_the_other_lets_go(tmp_path: Path, what: str) -> None:
    root, keys = tmp_path / "store", tmp_path / "keys"
    if what == "writer":
        Writer.open(root, keys, now=NOW, version="1").close()
    held = lock_store(root)
    timer = threading.Timer(0.06, held.release)
    started = time.monotonic()
    timer.start()
    if what == "lock":
        hold(root / "lock", 5).release()
    elif what == "store":
        lock_store(root, 5).release()
    else:
        Writer.open(root, keys, now=NOW, version="1", wait=5).close()
    assert 0.06 <= time.monotonic() - started < 5
    timer.join()
    hold(root / "lock").release()  # who waited has let go, too


def test_what_is_wrong_is_not_waited_for(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(OSError, match=r"."):
        hold(tmp_path / "absent" / "lock", 5)
    assert time.monotonic() - started < 1
