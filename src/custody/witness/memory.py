"""What a witness remembers: of each log it knows, the keys that may sign, and the last checkpoint that it cosigned.

One SQLite file. ``advance`` is the one step that matters: it compares what is remembered with what the caller read and
writes the new checkpoint in one transaction, durable when it returns. Were these two steps, two requests at once could
each be right and together roll the log back.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from custody.errors import StoreError

SCHEMA = """
    CREATE TABLE IF NOT EXISTS logs (
        origin TEXT PRIMARY KEY NOT NULL,
        vkeys TEXT NOT NULL,
        size INTEGER NOT NULL,
        root BLOB NOT NULL,
        note BLOB
    ) STRICT
"""
WAIT = 10.0
"""Seconds that a step waits for another one."""


class Remembered(msgspec.Struct, frozen=True):
    """One log: who may sign for it (verifier keys), the size and root cosigned last, and that note as it was given out.

    Size 0 and no note: nothing was cosigned yet.
    """

    origin: str
    vkeys: tuple[str, ...]
    size: int
    root: bytes
    note: bytes | None


class Memory:
    """The file at ``path``. Every call is a transaction of its own; several processes may share the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with self._opened() as database:
            database.execute(SCHEMA)

    def add(self, origin: str, vkeys: tuple[str, ...], empty_root: bytes) -> bool:
        """Know a log from now on; False where it is known already, and then nothing changes."""
        with self._opened() as database:
            done = database.execute(
                "INSERT OR IGNORE INTO logs VALUES (?, ?, 0, ?, NULL)", (origin, " ".join(vkeys), empty_root)
            )
            return done.rowcount == 1

    def add_key(self, origin: str, vkey: str) -> bool:
        """Let another key sign for a known log (a rotation); False where the log is unknown or the key is known."""
        with self._opened() as database:
            known = _row(database, origin)
            if known is None or vkey in known.vkeys:
                return False
            database.execute("UPDATE logs SET vkeys = ? WHERE origin = ?", (" ".join((*known.vkeys, vkey)), origin))
            return True

    def log(self, origin: str) -> Remembered | None:
        """What is remembered of a log, None where it is not known."""
        with self._opened() as database:
            return _row(database, origin)

    def logs(self) -> tuple[Remembered, ...]:
        """Every known log, by origin."""
        with self._opened() as database:
            rows = database.execute("SELECT origin, vkeys, size, root, note FROM logs ORDER BY origin").fetchall()
            return tuple(_remembered(row) for row in rows)

    def advance(self, before: Remembered, size: int, root: bytes, note: bytes) -> bool:
        """Remember a newer checkpoint where ``before`` is still what is remembered; False where it is not.

        Compare and write are one transaction, durable when this returns.
        """
        with self._opened() as database:
            done = database.execute(
                "UPDATE logs SET size = ?, root = ?, note = ? WHERE origin = ? AND size = ? AND root = ?",
                (size, root, note, before.origin, before.size, before.root),
            )
            return done.rowcount == 1

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            database = sqlite3.connect(self._path, timeout=WAIT, isolation_level=None)
        except sqlite3.Error as error:
            raise StoreError("the witness's memory cannot be opened", where=str(self._path), found=str(error)) from None
        try:
            database.execute("PRAGMA synchronous = EXTRA")
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError("the witness's memory failed", where=str(self._path), found=str(error)) from error
        finally:
            database.close()


def _row(database: sqlite3.Connection, origin: str) -> Remembered | None:
    row = database.execute("SELECT origin, vkeys, size, root, note FROM logs WHERE origin = ?", (origin,)).fetchone()
    return None if row is None else _remembered(row)


def _remembered(row: tuple[str, str, int, bytes, bytes | None]) -> Remembered:
    origin, vkeys, size, root, note = row
    return Remembered(origin, tuple(vkeys.split(" ")), size, root, note)
