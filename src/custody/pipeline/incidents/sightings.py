"""How much of the other log a statement surely saw: as it says itself, where that is so.

A statement names size and root of the other log. A tree that the other log never had was not seen: then nothing is
known, as of statements that say nothing. And whoever writes one log may name a tree that is too old, but not one that
is older than what the same log had seen before: logs only grow.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from custody.errors import CustodyError
from custody.ledger.note import decode64
from custody.ledger.proof import root_at
from custody.store.logfiles import LogFiles

MOST = 1 << 40
"""Leaves that no log has."""


class Sightings:
    """What the statements of one log saw of the ``other`` one (its folder), taken in the order of their leaves."""

    def __init__(self, store: Path, other: str) -> None:
        self._store, self._other, self._most = store, other, 0

    def of(self, told: object) -> int | None:
        """The size that was seen at least by who says ``told`` (size and root in base64); None where that is not so."""
        if not isinstance(told, list) or len(told) != 2 or type(told[0]) is not int or not self._was(*told):
            return None
        self._most = max(self._most, told[0])
        return self._most

    def _was(self, size: int, root: object) -> bool:
        if not 0 <= size < MOST:
            return False
        try:
            return _root(self._store, self._other, size) == decode64(str(root))
        except (CustodyError, OSError, ValueError):
            return False


@lru_cache(maxsize=4096)
def _root(store: Path, log: str, size: int) -> bytes:
    """The root of a tree that a log had: it has it for good."""
    return root_at(size, LogFiles(store, log).read)
