"""The tree head of what was known at a time: the operations log up to its last commit of by then.

No note of it may be kept any more. Its root is worked out again from the tiles, so it can be compared with a checkpoint
that somebody else kept of that size.
"""

from __future__ import annotations

from collections.abc import Iterator

from custody.errors import LogError
from custody.ledger.note import encode64
from custody.ledger.proof import root_at
from custody.model.report import CheckpointRef
from custody.model.times import microseconds
from custody.store.reader import Reader

UNKNOWN = ""
"""The root where it cannot be worked out."""


def head_by(reader: Reader, moment: int) -> CheckpointRef | None:
    """The head of what was known at ``moment`` (µs), None where nothing was. Without a root where tiles are missing.

    A commit was known once the last of its files had been received, a statement once it was sealed; one that bears no
    time was known with what was committed next.
    """
    size = max((end for end, at in _commits(reader) if at <= moment), default=0)
    if not size:
        return None
    try:
        root = encode64(root_at(size, reader.read))
    except (LogError, OSError):
        root = UNKNOWN
    return CheckpointRef(
        log=reader.checkpoint().origin,
        size=size,
        root=root,
        anchored=max((found for at, found in _anchors(reader) if at < size), default=None),
    )


def _commits(reader: Reader) -> Iterator[tuple[int, int]]:
    """Each commit that bears a time: the size of the log with it, and when it was known (µs)."""
    history = reader.history()
    times = [(said.leaf, _time(said.entry.fields.get("at"))) for said in history.said]
    times += [(each.leaf, _time(reader.acquired_at(each.leaf))) for each in reader.acquisitions()]
    ordered = sorted(times)
    place = 0
    for closed in sorted(history.closed, key=lambda each: each.leaf):
        found: list[int | None] = [_time(reader.acquired_at(leaf)) for leaf in reader.files_of(closed.leaf)]
        while place < len(ordered) and ordered[place][0] < closed.leaf:
            found.append(ordered[place][1])
            place += 1
        known = [each for each in found if each is not None]
        if known:
            yield closed.leaf + 1, max(known)


def _anchors(reader: Reader) -> Iterator[tuple[int, int]]:
    """The leaf of each sealed anchor, and the size that it is over."""
    for said in reader.statements("anchor"):
        size = said.entry.fields.get("size")
        if isinstance(size, int):
            yield said.leaf, size


def _time(written: object) -> int | None:
    try:
        return microseconds(written) if isinstance(written, str) else None
    except (ValueError, OverflowError, TypeError):
        return None
