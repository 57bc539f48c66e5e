"""The files of a journal: names, reading them, and whether each line follows from the one before.

``NNNNNNNNNNNN.ndjson`` holds the lines from the ``seq`` in its name on. All but the last one are closed: every line of
them was durable before the next file was made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from custody.errors import StoreError
from custody.model.brokered import DECODER, FORMAT, NO_LINE, Entry, digest_of

SUFFIX = ".ndjson"
TORN = ".torn"

DAMAGED = "The journal is damaged: nothing is issued from it. Keep the folder; docs/broker-log.md says what to do."

_NAME = re.compile(r"[0-9]{12}\.ndjson", re.ASCII)


class Epoch(msgspec.Struct, frozen=True, order=True):
    """A closed file of the journal: the ``seq`` of its first and last line, and its size in bytes."""

    first: int
    last: int
    size: int
    path: Path


class Tip(msgspec.Struct, frozen=True):
    """Where a chain of lines stands: the last ``seq``, and the SHA-256 (hex) of its line; None: not known yet."""

    seq: int
    prev: str | None


class Linked(msgspec.Struct, frozen=True, gc=False):
    """What a line says of its place."""

    custody: str
    broker: str
    seq: int
    prev: str


_LINKED = msgspec.json.Decoder(Linked)


def epoch_path(folder: Path, first: int) -> Path:
    """The file whose first line has the ``seq`` ``first``."""
    return folder / f"{first:012d}{SUFFIX}"


def first_of(path: Path) -> int:
    """The ``seq`` in the name of an epoch's file."""
    return int(path.name.removesuffix(SUFFIX))


def epoch_files(folder: Path) -> list[Path]:
    """The files of the journal, oldest first."""
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def follow(path: Path, data: bytes, tip: Tip, broker: str) -> Tip:
    """Check the whole lines of ``data`` against ``tip`` and each other; gives the tip after them.

    What stands behind the last line end is no line. StoreError where a line is damaged, missing or somebody else's.
    """
    seq, prev = tip.seq, tip.prev
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        linked = _linked(line)
        if linked is None or linked.custody != FORMAT:
            raise _damage(path, number, "a line is damaged", "", f"an entry with seq {seq + 1}")
        if linked.broker != broker:
            raise _damage(path, number, "a line of another broker", linked.broker[:60], broker)
        if linked.seq != seq + 1:
            raise _damage(path, number, "a line is missing or twice there", f"seq {linked.seq}", f"seq {seq + 1}")
        expected = NO_LINE if linked.seq == 1 else prev or linked.prev
        if linked.prev != expected:
            raise _damage(path, number, "a line does not follow from the one before", linked.prev[:64], expected)
        seq, prev = linked.seq, digest_of(line)
    return Tip(seq, prev)


def entries_of(path: Path, after: int, through: int) -> Iterator[Entry]:
    """The entries of a file with ``after < seq <= through``. StoreError where one cannot be read."""
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        linked = _linked(line)
        if linked is not None and (linked.seq <= after or linked.seq > through):
            continue
        try:
            yield DECODER.decode(line)
        except msgspec.MsgspecError as error:
            raise _damage(path, number, "an entry cannot be read", type(error).__name__, FORMAT) from None


def _linked(line: bytes) -> Linked | None:
    try:
        return _LINKED.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _damage(path: Path, number: int, message: str, found: str, expected: str) -> StoreError:
    return StoreError(message, where=f"{path}: line {number}", found=found, expected=expected, advice=DAMAGED)
