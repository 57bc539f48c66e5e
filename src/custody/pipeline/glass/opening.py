"""Opening a glass where no broker is: the step is in the journal, signed and on the disk, before the secret is out."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from custody.broker.clock import Random
from custody.broker.glass import journal as lines
from custody.broker.glass.file import Sealed
from custody.broker.glass.journal import Offline, Tip
from custody.broker.glass.names import log_id
from custody.broker.glass.sealing import Opened
from custody.errors import UsageError
from custody.model.times import microseconds

SUFFIX = ".journal.ndjson"
MOST_BYTES = 16 << 20


class OfflineJournal:
    """The journal beside a glass: begun, or gone on with where it is there. ``now`` is in µs.

    UsageError where the file is not a journal of this glass, or another process has it open.
    """

    def __init__(self, path: Path, sealed: Sealed, now: int, random: Random) -> None:
        self._sealed, self.path = sealed, path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            self.tip = self._take_up(Tip(log_id(now, random)))
        except BaseException:
            self.close()
            raise

    def say(self, step: Offline, reason: str, opened: Opened, now: int) -> None:
        """One more step, durable when this returns."""
        line, tip = lines.signed(self.tip, now, step, self._sealed.glass, opened.people, reason, opened.signer)
        os.write(self._descriptor, line + b"\n")
        os.fsync(self._descriptor)
        self.tip = tip

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _take_up(self, fresh: Tip) -> Tip:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError("somebody else has the journal open", where=str(self.path)) from None
        data = os.pread(self._descriptor, MOST_BYTES + 1, 0)
        if len(data) > MOST_BYTES:
            raise UsageError("the journal is too long", where=str(self.path), expected=f"at most {MOST_BYTES} bytes")
        _sync_folder(self.path.absolute().parent)
        if not data:
            return fresh
        return lines.check(data, self._sealed.glass, self._sealed.signers, str(self.path)).tip


def journal_beside(glass: Path) -> Path:
    """Where the journal of a glass file is kept, unless somebody says another place."""
    return glass.with_name(glass.name + SUFFIX)


def is_over(sealed: Sealed, now: int) -> bool:
    """Whether the credential has expired, by the clock of this machine."""
    return (microseconds(sealed.not_after) or 0) <= now


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
