"""Erasure, as the log says it: whose payload and salt are gone, and to which file that brought a segment.

The statement ``erasure`` is about one segment::

    segment    leaf of the segment entry that closes the commit, and file, its path
    old, new   SHA-256 (hex) of the file before and after, size of the one after (bytes)
    count      erased rows in the file after it; leaves: their ranges [first, end), or where these are more than
               MOST_RANGES bitmap: base64 of a bit for each row, the first row the highest bit of the first byte
    periods    [source, records, first, last] of what this statement erased (µs, null where no event says a time)
    reason, by, at, contract    why, by whom (claimed), when, and the digest of the contract in force, or null

``leaves`` covers every erased row of the segment, those of earlier statements too. The file of a segment is right where
a chain of these leads to it from the sealed one. The statement ``erasure-aside`` names files under ``aside/`` that went
with it: what a commit left that was never signed may hold the same bytes.

What is here only reads what was sealed; the steps on the disk are in ``store.erasing``.
"""

from __future__ import annotations

import base64
from binascii import Error as Base64Error
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

import msgspec

from custody.errors import StoreError
from custody.store.history import Closed, History, Said

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STATEMENT = "erasure"
ASIDE_STATEMENT = "erasure-aside"
MOST_RANGES = 500
NEXT = ".next"
"""Ends the name of the file that takes a segment's place once its erasure is sealed."""

Range = tuple[Annotated[int, msgspec.Meta(ge=0)], Annotated[int, msgspec.Meta(ge=0)]]
Period = tuple[str, int, int | None, int | None]
"""A source, how many of its records, and the first and last time of their events (µs)."""

_Digest = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed of an erasure besides what it did: ``by`` is claimed, ``contract`` a digest or None."""

    reason: str
    by: str
    at: str
    contract: str | None


class _Fields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    segment: int
    file: str
    old: _Digest
    new: _Digest
    size: int
    count: int
    periods: tuple[Period, ...]
    reason: str
    by: str
    at: str
    contract: str | None
    leaves: tuple[Range, ...] = ()
    bitmap: str | None = None


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """One statement at ``leaf``: ``ranges`` are the erased leaves of the segment whose entry is at ``segment``."""

    leaf: int
    segment: int
    file: str
    old: str
    new: str
    size: int
    ranges: tuple[Range, ...]
    periods: tuple[Period, ...]
    why: Why

    def holds(self, leaf: int) -> bool:
        """Whether the record at ``leaf`` is among the erased."""
        return any(first <= leaf < end for first, end in self.ranges)


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What the segment of a commit should be now: its hash, the erased leaves, and the hashes that it had before.

    ``size`` is that of a file after an erasure, None where nothing of it was erased. ``problems`` are sentences: a
    chain of statements that does not hold.
    """

    closed: Closed
    sha256: str
    ranges: tuple[Range, ...] = ()
    before: tuple[str, ...] = ()
    size: int | None = None
    statement: int | None = None
    problems: tuple[str, ...] = ()

    @property
    def erased(self) -> int:
        """How many records of it are erased."""
        return sum(end - first for first, end in self.ranges)


class Erasures:
    """Every erasure that a history tells of."""

    def __init__(self, history: History) -> None:
        self._history = history
        self.problems: list[tuple[int, str]] = []
        """Statements that make no sense: their leaf, and what is wrong."""
        self._of: dict[int, list[Erasure]] = {}
        closed = {each.leaf: each for each in history.closed if each.file is not None}
        for said in history.said:
            if said.entry.what == STATEMENT:
                try:
                    one = parse(said, closed)
                except StoreError as error:
                    self.problems.append((said.leaf, str(error)))
                    continue
                self._of.setdefault(one.segment, []).append(one)

    def expected(self, closed: Closed) -> Expected:
        """What the segment of a commit should be."""
        chain = self._of.get(closed.leaf, ())
        known, problems = [closed.sha256 or ""], list[str]()
        last: tuple[Range, ...] = ()
        for one in chain:
            if one.old not in known:
                problems.append(f"the erasure at leaf {one.leaf} is of another file: found SHA-256 {one.old}")
            if not covers(one.ranges, last):
                problems.append(f"the erasure at leaf {one.leaf} does not name what was erased before")
            known.append(one.new)
            last = one.ranges
        return Expected(
            closed=closed,
            sha256=known[-1],
            ranges=last,
            before=tuple(known[:-1]),
            size=chain[-1].size if chain else None,
            statement=chain[-1].leaf if chain else None,
            problems=tuple(problems),
        )

    def segments(self) -> list[Expected]:
        """The segments of which something was erased, in order of leaf."""
        return [self.expected(closed) for closed in self._history.closed if closed.leaf in self._of]

    def of(self, leaf: int) -> Erasure | None:
        """The statement by which the record at ``leaf`` was erased, None where it was not."""
        return next((one for one in self._near(leaf) if one.holds(leaf)), None)

    def _near(self, leaf: int) -> Sequence[Erasure]:
        at = bisect_right(self._firsts, (leaf, 1 << 62)) - 1
        return self._of[self._firsts[at][1]] if at >= 0 else ()

    @cached_property
    def _firsts(self) -> list[tuple[int, int]]:
        return sorted((each.closed.first, each.closed.leaf) for each in self.segments())

    def periods(self) -> list[Period]:
        """What was erased of each source, statement by statement."""
        return [period for chain in self._of.values() for one in chain for period in one.periods]

    def aside(self) -> dict[str, str]:
        """The files under ``aside/`` that went with erasures, each with its SHA-256."""
        found: dict[str, str] = {}
        for said in self._history.said:
            if said.entry.what == ASIDE_STATEMENT:
                rows = said.entry.fields.get("files")
                found |= {str(row[0]): str(row[1]) for row in (rows if isinstance(rows, list) else ()) if len(row) == 2}
        return found


def last_leaf(history: History) -> int | None:
    """The leaf of the last erasure, None where nothing was ever erased."""
    said = history.last(STATEMENT)
    return None if said is None else said.leaf


def parse(said: Said, closed: dict[int, Closed]) -> Erasure:
    """The erasure that a statement tells of. StoreError where it is of no segment or not in its one form."""
    where = f"leaf {said.leaf}"
    try:
        fields = msgspec.convert({**said.entry.fields}, _Fields)
    except msgspec.ValidationError as error:
        raise StoreError("an erasure is not in its one form", where=where, found=str(error)) from None
    commit = closed.get(fields.segment)
    if commit is None or commit.file != fields.file or commit.leaf > said.leaf:
        raise StoreError("an erasure of no segment", where=where, found=f"{fields.file} of leaf {fields.segment}")
    ranges = fields.leaves if fields.bitmap is None else _unpacked(fields.bitmap, commit, where)
    if not _inside(ranges, commit) or sum(end - first for first, end in ranges) != fields.count:
        raise StoreError("an erasure names other leaves than it counts", where=where, found=str(fields.count))
    form = said_leaves(ranges, commit)
    if form != {name: said.entry.fields[name] for name in ("leaves", "bitmap") if name in said.entry.fields}:
        raise StoreError("the leaves of an erasure are not in their one form", where=where)
    return Erasure(
        leaf=said.leaf,
        segment=fields.segment,
        file=fields.file,
        old=fields.old,
        new=fields.new,
        size=fields.size,
        ranges=ranges,
        periods=fields.periods,
        why=Why(reason=fields.reason, by=fields.by, at=fields.at, contract=fields.contract),
    )


def said_leaves(ranges: Sequence[Range], commit: Closed) -> dict[str, object]:
    """How a statement says which leaves: by ranges, or by a bit for each row where they are many."""
    if len(ranges) <= MOST_RANGES:
        return {"leaves": [list(each) for each in ranges]}
    import numpy as np

    return {"bitmap": base64.b64encode(np.packbits(mask_of(ranges, commit)).tobytes()).decode()}


def mask_of(ranges: Iterable[Range], commit: Closed) -> NDArray[np.bool_]:
    """For each row of a commit, whether its leaf is in one of ``ranges``."""
    import numpy as np

    mask = np.zeros(commit.end - commit.first, dtype=bool)
    for first, end in ranges:
        mask[first - commit.first : end - commit.first] = True
    return mask


def ranges_of(mask: NDArray[np.bool_], commit: Closed) -> tuple[Range, ...]:
    """The ranges of leaves that are set in ``mask``, each as long as can be, in order."""
    import numpy as np

    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8))) + commit.first
    return tuple(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def covers(ranges: Sequence[Range], others: Sequence[Range]) -> bool:
    """Whether every leaf of ``others`` is in ``ranges``; both are in order and each range as long as can be."""
    at = 0
    for first, end in others:
        while at < len(ranges) and ranges[at][1] < end:
            at += 1
        if at == len(ranges) or ranges[at][0] > first:
            return False
    return True


def _unpacked(text: str, commit: Closed, where: str) -> tuple[Range, ...]:
    import numpy as np

    rows = commit.end - commit.first
    try:
        bits = np.unpackbits(np.frombuffer(base64.b64decode(text, validate=True), np.uint8))
    except (Base64Error, ValueError):
        raise StoreError("the leaves of an erasure are not in base64", where=where) from None
    if len(bits) != -(-rows // 8) * 8 or bits[rows:].any():
        raise StoreError(
            "the leaves of an erasure are not those of its segment", where=where, found=f"{len(bits)} bits"
        )
    return ranges_of(bits[:rows].astype(bool), commit)


def _inside(ranges: Sequence[Range], commit: Closed) -> bool:
    at = commit.first - 1
    for first, end in ranges:
        if first <= at or not first < end <= commit.end:
            return False
        at = end
    return bool(ranges)
