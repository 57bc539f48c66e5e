"""One broker writes a journal at a time: the others stand by until its lock is free."""

from __future__ import annotations

import asyncio
from pathlib import Path

from custody.errors import StoreLocked
from custody.store.disk import disk_error, make_folders
from custody.store.lock import Lock

LOCK_FILE = "lock"


def hold_journal(folder: Path) -> Lock:
    """The lock of the journal in ``folder``, which is made. StoreLocked where another broker holds it.

    The lock is flock(2): the kernel frees it when its holder ends, however it ends.
    """
    try:
        make_folders(folder)
        return Lock(folder / LOCK_FILE)
    except StoreLocked as error:
        raise StoreLocked(
            "another broker writes this journal",
            where=str(folder),
            found=error.found,
            advice="This one can stand by: it takes over when the other one ends.",
        ) from None
    except OSError as error:
        raise disk_error(error, where=str(folder), doing="opening the journal") from error


async def wait_for_lock(folder: Path, poll: float) -> Lock:
    """Stand by: look every ``poll`` seconds until the lock is free, and hold it."""
    while True:
        try:
            return hold_journal(folder)
        except StoreLocked:
            await asyncio.sleep(poll)
