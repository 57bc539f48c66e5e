"""Random bytes drawn in larger pieces: where a system call is dear, four of them for each request are too."""

from __future__ import annotations

from threading import Lock

from custody.broker.clock import Random

PIECE = 4096
"""Bytes drawn at once. They wait in memory, so this is for ids, not for keys and passwords."""


class Chance:
    """A ``Random`` over another one. Every byte is given once, whichever threads ask; not to be used across a fork."""

    def __init__(self, source: Random) -> None:
        self._source, self._lock = source, Lock()
        self._held, self._at = b"", 0

    def __call__(self, count: int) -> bytes:
        """So many random bytes."""
        if count > PIECE // 16:
            return self._source(count)
        with self._lock:
            if self._at + count > len(self._held):
                self._held, self._at = self._source(PIECE), 0
            found = self._held[self._at : self._at + count]
            self._at += count
        return found
