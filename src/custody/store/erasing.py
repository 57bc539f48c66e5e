"""Erasing on the disk: what the writer does so that bytes go and a crash leaves nothing half gone.

1. each segment is written again without the payloads that go, beside the old one (``<name>.next``), and synced
2. the statements are sealed, in one commit: from here on the bytes are gone by the log's word
3. each new file takes the place of the old one: rename, sync of the folder
4. files under ``aside/`` that may hold the same bytes are deleted, and every derived table: a writer makes these anew

What was cut off before 2 is undone, after 2 it is finished, both by the next writer (``settle``). Many segments go in
lots, so that the disk need not hold all of them twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from custody.errors import StoreError
from custody.ledger.entry import statement_entry
from custody.store import segments
from custody.store.disk import Disk
from custody.store.erasure import (
    ASIDE_STATEMENT,
    NEXT,
    STATEMENT,
    Erasures,
    Expected,
    Period,
    Range,
    Why,
    mask_of,
    ranges_of,
    said_leaves,
)
from custody.store.history import Closed, History
from custody.store.layout import ASIDE, SEGMENTS
from custody.store.segments import Segment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LOT_BYTES = 1 << 30
"""New files of one lot, after which it is sealed."""

LOT_SEGMENTS = 1000
ASIDE_FILES = 200
"""Files that one statement names."""


@dataclass(frozen=True)
class Going:
    """What goes of one commit: ``gone`` has a value for each row; ``periods`` says what that is, by source."""

    closed: Closed
    gone: NDArray[np.bool_]
    periods: tuple[Period, ...]


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A segment whose next file is written. ``ranges`` are all erased leaves in it."""

    closed: Closed
    old: str
    new: str
    size: int
    ranges: tuple[Range, ...]
    periods: tuple[Period, ...]


def lots(disk: Disk, root: Path, history: History, going: Iterable[Going]) -> Iterator[list[Prepared]]:
    """Write the next file of every segment; gives them in lots that are durable, each to be sealed before the next.

    StoreError where a segment is not the file that the log says: nothing is erased from what cannot be trusted.
    """
    lot: list[Prepared] = []
    try:
        for each in going:
            lot.append(_prepare(disk, root, Erasures(history).expected(each.closed), each))
            if len(lot) == LOT_SEGMENTS or sum(one.size for one in lot) >= LOT_BYTES:
                yield _durable(disk, root, lot)
                lot = []
        if lot:
            yield _durable(disk, root, lot)
    except OSError:
        for beside in (root / SEGMENTS).glob(f"*{NEXT}"):
            with suppress(OSError):
                disk.delete(beside)
        raise


def entries(lot: Sequence[Prepared], why: Why, aside: Sequence[tuple[str, str]] = ()) -> list[bytes]:
    """The statements of a lot; ``aside`` are files that go with it."""
    said = [
        statement_entry(
            STATEMENT,
            {
                "segment": one.closed.leaf,
                "file": one.closed.file,
                "old": one.old,
                "new": one.new,
                "size": one.size,
                "count": sum(end - first for first, end in one.ranges),
                **said_leaves(one.ranges, one.closed),
                "periods": one.periods,
                **msgspec.structs.asdict(why),
            },
        )
        for one in lot
    ]
    for start in range(0, len(aside), ASIDE_FILES):
        files = aside[start : start + ASIDE_FILES]
        said.append(statement_entry(ASIDE_STATEMENT, {"files": files, **msgspec.structs.asdict(why)}))
    return said


def aside_files(root: Path, history: History) -> list[tuple[str, str]]:
    """The files that recoveries moved aside and that may hold records: path in the store, SHA-256."""
    gone = Erasures(history).aside()
    found: list[tuple[str, str]] = []
    for path in sorted((root / ASIDE).glob("*/*/**/*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and name not in gone and name.split("/")[2] in (SEGMENTS, "derived"):
            found.append((name, _digest(path)))
    return found


def waiting(root: Path, expected: Expected) -> bool:
    """Whether a sealed erasure of a segment was cut off before its new file took the place of the old one."""
    beside = root / f"{expected.closed.file}{NEXT}"
    return expected.size is not None and beside.is_file() and _digest(beside) == expected.sha256


def settle(disk: Disk, root: Path, history: History) -> tuple[str, ...]:
    """Finish the erasures that are sealed, undo those that are not; gives what was mended, a sentence each."""
    erasures = Erasures(history)
    mended = []
    for expected in erasures.segments():
        path = root / str(expected.closed.file)
        beside = path.with_name(path.name + NEXT)
        if expected.problems or not _is_next(disk, root, expected, path, beside):
            continue
        disk.rename(beside, path)
        mended.append(f"{expected.closed.file}: an erasure that was cut off was finished (leaf {expected.statement})")
    if mended:
        disk.sync_folder(root / SEGMENTS)
    for beside in sorted((root / SEGMENTS).glob(f"*{NEXT}")):
        disk.delete(beside)
    for name in erasures.aside():
        path = root / name
        if name.startswith(f"{ASIDE}/") and ".." not in name.split("/") and path.is_file():
            disk.delete(path)
    return tuple(mended)


def _is_next(disk: Disk, root: Path, expected: Expected, path: Path, beside: Path) -> bool:
    """Whether the file beside is the one that the log says; made again where the old one is still, or again, there."""
    if beside.is_file():
        return waiting(root, expected)
    if not path.is_file() or path.stat().st_size == expected.size or _digest(path) not in expected.before:
        return False
    data = _without(path, expected.closed, mask_of(expected.ranges, expected.closed))
    if sha256(data).hexdigest() != expected.sha256:
        return False  # another version of the Parquet library: `custody erase` of these leaves seals what it writes
    disk.write(beside, data)
    disk.sync_all(path.parent, [beside])
    return True


def _prepare(disk: Disk, root: Path, expected: Expected, going: Going) -> Prepared:
    closed = expected.closed
    path = root / str(closed.file)
    old = _digest(path)
    if expected.problems or old not in (expected.sha256, *expected.before):
        raise StoreError(
            "a segment is not the one that the log seals", where=str(closed.file), found=f"SHA-256 {old}",
            expected=expected.sha256, advice="`custody verify` says what is wrong; nothing was erased from it.",
        )  # fmt: skip
    gone = mask_of(expected.ranges, closed) | going.gone
    data = _without(path, closed, gone)
    disk.write(path.with_name(path.name + NEXT), data)
    return Prepared(
        closed=closed,
        old=old,
        new=sha256(data).hexdigest(),
        size=data.nbytes,
        ranges=ranges_of(gone, closed),
        periods=going.periods,
    )


def _durable(disk: Disk, root: Path, lot: list[Prepared]) -> list[Prepared]:
    disk.sync_all(root, [root / f"{one.closed.file}{NEXT}" for one in lot])
    return lot


def _without(path: Path, closed: Closed, gone: NDArray[np.bool_]) -> memoryview:
    segment = Segment(path, name=str(closed.file), rows=closed.end - closed.first)
    try:
        return segments.erase(segment, gone)
    finally:
        segment.close()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
