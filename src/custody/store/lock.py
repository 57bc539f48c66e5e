"""One writer at a time: flock(2) on ``STORE/lock``."""

import fcntl
import os
import time
import weakref
from contextlib import suppress
from pathlib import Path

from custody.errors import StoreError, StoreLocked
from custody.store import layout
from custody.store.disk import disk_error, make_folders, modes

POLL = 0.02
"""Seconds between two tries of who waits: flock(2) itself would wait without an end."""


class Lock:
    """An exclusive lock, held from construction to ``release``.

    The kernel lets go when the last copy of the descriptor is closed. Forked workers would hold a copy and keep the
    store locked after this process was killed, so a fork closes its copy at once.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, modes(path.parent)[1])
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
            self.close_copy()
            raise StoreLocked(
                "another writer is at work on this store",
                where=str(path),
                found=f"process {holder}" if holder else "",
                advice="Wait until it has finished. Reading commands work meanwhile.",
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)
        _close_in_forks(self)

    def release(self) -> None:
        """Let go of the lock, whoever else has a copy of the descriptor; again is harmless."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self.close_copy()

    def close_copy(self) -> None:
        """Close this process's copy of the descriptor alone: the lock stays with whoever has another."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)


def _close_in_forks(lock: Lock) -> None:
    reference = weakref.ref(lock)

    def close() -> None:
        held = reference()
        if held is not None:
            held.close_copy()

    os.register_at_fork(after_in_child=close)


def hold(path: Path, wait: float = 0.0) -> Lock:
    """The lock on the file ``path``, tried for ``wait`` seconds. StoreLocked where another holds it all that time."""
    until = time.monotonic() + wait
    while True:
        try:
            return Lock(path)
        except StoreLocked:
            if time.monotonic() >= until:
                raise
        time.sleep(POLL)


def lock_store(root: Path, wait: float = 0.0) -> Lock:
    """Hold the lock of the store at ``root``, whose folder is made; StoreError where something else is there.

    Where another writer is at work, wait for it up to ``wait`` seconds, then StoreLocked.
    """
    try:
        make_folders(root)
        names = {path.name for path in root.iterdir() if not path.name.endswith(layout.TEMPORARY)}
        foreign = sorted(names - layout.TOP_LEVEL)
        if foreign and layout.STORE_FILE not in names:
            raise StoreError(
                "the folder holds something else than a store",
                where=str(root),
                found=", ".join(foreign[:3]),
                advice="Name an empty or new folder.",
            )
        return hold(root / layout.LOCK_FILE, wait)
    except OSError as error:
        raise disk_error(error, where=str(root), doing="opening the store") from error
