"""Kept bytes and salts by leaf, out of the segment files, with the row groups that are near kept in memory."""

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Generic, TypeVar

from custody.errors import NotFound
from custody.store.history import Closed
from custody.store.segments import ROW_GROUP, Kept, Segment

OPEN_SEGMENTS = 16
NEAR_GROUPS = 8
NEAR_SALTS = 256

V = TypeVar("V")


class _Near(Generic[V]):
    """The last few values by key, the oldest given up first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: dict[tuple[int, int], V] = {}

    def get(self, key: tuple[int, int]) -> V | None:
        return self._values.get(key)

    def put(self, key: tuple[int, int], value: V) -> V | None:
        """Keep a value; returns the one given up for it."""
        old = self._values.pop(next(iter(self._values))) if len(self._values) >= self._limit else None
        self._values[key] = value
        return old

    def clear(self) -> list[V]:
        values = list(self._values.values())
        self._values.clear()
        return values


class Payloads:
    """The payloads of the record leaves that ``closed`` commits hold; the list may grow."""

    def __init__(self, root: Path, closed: Sequence[Closed]) -> None:
        self._root = root
        self._closed = closed
        self._with_file: list[Closed] = []
        self._firsts: list[int] = []
        self._seen = 0
        self._segments: _Near[Segment] = _Near(OPEN_SEGMENTS)
        self._groups: _Near[list[Kept]] = _Near(NEAR_GROUPS)
        self._salts: _Near[list[bytes | None]] = _Near(NEAR_SALTS)

    def kept(self, leaf: int) -> Kept:
        """The payload of a record leaf; NotFound where the leaf is not a record's."""
        closed, group, row = self._place(leaf)
        rows = self._groups.get((closed.first, group))
        if rows is None:
            rows = self._segment(closed).read(group)
            self._groups.put((closed.first, group), rows)
        return rows[row]

    def salt(self, leaf: int) -> bytes | None:
        """The salt of a record leaf, without reading the payload."""
        closed, group, row = self._place(leaf)
        salts = self._salts.get((closed.first, group))
        if salts is None:
            salts = self._segment(closed).salts(group)
            self._salts.put((closed.first, group), salts)
        return salts[row]

    def forget(self) -> None:
        """Let go of everything that was read: the files are about to be others."""
        self.close()
        self._groups.clear()
        self._salts.clear()

    def close(self) -> None:
        """Let go of every file."""
        for segment in self._segments.clear():
            segment.close()

    def _place(self, leaf: int) -> tuple[Closed, int, int]:
        for closed in self._closed[self._seen :]:
            if closed.file is not None:
                self._with_file.append(closed)
                self._firsts.append(closed.first)
        self._seen = len(self._closed)
        at = bisect_right(self._firsts, leaf) - 1
        if at < 0 or leaf >= self._with_file[at].end:
            raise NotFound("not the leaf of a record", found=str(leaf))
        closed = self._with_file[at]
        group, row = divmod(leaf - closed.first, ROW_GROUP)
        return closed, group, row

    def _segment(self, closed: Closed) -> Segment:
        key = (closed.first, closed.end)
        segment = self._segments.get(key)
        if segment is None:
            name = str(closed.file)
            segment = Segment(self._root / name, name=name, rows=closed.end - closed.first)
            dropped = self._segments.put(key, segment)
            if dropped is not None:
                dropped.close()
        return segment
