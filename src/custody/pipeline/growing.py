"""The files that are followed: which there are, how far each was taken, and what of it can be taken now.

A file is known by device and inode, so that it stays the same when it is renamed. What was taken of it stays taken as
long as it does not become shorter and the bytes before that place are the same; else it is read anew.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from custody.errors import SourceError
from custody.model.records import Acquisition, TextFraming
from custody.readers import pieces
from custody.readers.limits import Limits
from custody.readers.pieces import Manner
from custody.readers.texts import HEAD

LONG = 30
"""Quiet times after which an unfinished last line is taken as it stands."""
LEAVING = 10
"""Quiet times for which a file is still looked at that has left the paths."""
PATIENCE = 600.0
"""Seconds that a file has to rest, at most, that can only be read whole and changes again and again."""

Spans = dict[Path, dict[int, dict[int, set[str]]]]
"""What was acquired before: by folder, start and length, the SHA-256 (hex) of the bytes."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """When to look. ``interval``: seconds between looks. ``quiet``: seconds without a change after which a file rests.

    ``pace``: how many times as long as the last judging took has to pass before the next.
    """

    interval: float = 1.0
    quiet: float = 2.0
    pace: float = 4.0


class Growing(msgspec.Struct, kw_only=True):
    """A file as last seen; times are monotonic seconds.

    ``at`` bytes of it were taken, and ``tail`` is the hash of the last of them. ``since`` is when it last changed,
    ``left`` when it left the paths, ``due`` when to look into it again. ``judged`` is its size when its manner was
    found; ``readings`` counts how often it was read whole.
    """

    path: Path
    size: int = -1
    changed: int = -1
    since: float = 0.0
    due: float = 0.0
    left: float | None = None
    at: int = 0
    tail: bytes | None = None
    manner: Manner | None = None
    judged: int = -1
    readings: int = 0

    def begin_anew(self) -> None:
        """Nothing of it was taken: it is another file now."""
        self.at, self.tail, self.manner, self.readings = 0, None, None, 0

    def rests(self, seconds: float) -> bool:
        """Whether it has not changed for so long."""
        return time.monotonic() - self.since >= seconds


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken of a file now: ``pieces`` up to ``end``, or all of it where there are none.

    Some of the pieces may have been acquired by an earlier run.
    """

    file: Growing
    pieces: tuple[Acquisition, ...]
    end: int


class Growth:
    """All files that are followed. ``listed`` gives the files there are, and what cannot be read."""

    def __init__(
        self,
        listed: Callable[[], tuple[list[Path], list[str]]],
        timing: Timing,
        limits: Limits,
        texts: Sequence[TextFraming],
        spans: Spans,
    ) -> None:
        self._listed, self._timing, self._limits, self._texts, self._spans = listed, timing, limits, texts, spans
        self._files: dict[tuple[int, int], Growing] = {}
        self._trouble: dict[Path, str] = {}
        self._missing: list[str] = []
        self.met = 0

    @property
    def problems(self) -> list[str]:
        """What cannot be read as things stand."""
        return [*self._missing, *self._trouble.values()]

    def look(self) -> None:
        """See which files there are, and which of them changed."""
        found, self._missing = self._listed()
        seen = {identity for path in found if (identity := self._see(path)) is not None}
        for identity in [each for each in self._files if each not in seen]:
            self._leave(identity)

    def waiting(self) -> int:
        """Bytes of which something may be taken now, 0 where there is nothing."""
        return sum(max(1, file.size - file.at) for file in self._files.values() if _may(file))

    def leaving(self) -> bool:
        """Whether something waits in a file that has left the paths: it may soon be gone."""
        return any(file.left is not None and _may(file) for file in self._files.values())

    def take(self) -> Iterator[Taken]:
        """What can be taken of each file now; ``settle`` has to say afterwards that it was sealed."""
        for file in [each for each in self._files.values() if _may(each)]:
            try:
                taken = self._taken(file)
            except SourceError as error:
                self._trouble[file.path] = str(error)
                file.due = time.monotonic() + self._timing.quiet
                continue
            self._trouble.pop(file.path, None)
            if taken is not None:
                yield taken

    def settle(self, taken: Taken) -> None:
        """What was taken is sealed to its last record."""
        file = taken.file
        if not taken.pieces:
            file.readings += 1
            file.due = math.inf
            return
        file.at = taken.end
        try:
            file.tail = pieces.tail_of(file.path, file.at, self._limits)
        except SourceError:
            file.tail = None

    def forget_spans(self) -> None:
        """What was acquired before this run matters no more: the files that were there have been compared."""
        self._spans = {}

    def _see(self, path: Path) -> tuple[int, int] | None:
        try:
            status = path.stat()
        except OSError:
            return None
        identity = (status.st_dev, status.st_ino)
        file = self._files.get(identity)
        if file is None:
            file = self._files[identity] = Growing(path=path)
            self.met += 1
        file.path, file.left = path, None
        self._update(file, status)
        return identity

    def _update(self, file: Growing, status: os.stat_result) -> None:
        """Take note of a change. A file that is met for the first time has rested since its own last change."""
        if (file.size, file.changed) == (status.st_size, status.st_mtime_ns):
            return
        rested = 0.0 if file.size >= 0 else max(0.0, time.time() - status.st_mtime)
        file.size, file.changed = status.st_size, status.st_mtime_ns
        file.since, file.due = time.monotonic() - rested, 0.0
        if file.at and (file.size < file.at or not self._is_the_same(file)):
            file.begin_anew()

    def _is_the_same(self, file: Growing) -> bool:
        try:
            return file.tail is None or pieces.tail_of(file.path, file.at, self._limits) == file.tail
        except SourceError:
            return True

    def _leave(self, identity: tuple[int, int]) -> None:
        """Look for a file that left the paths beside where it was; forget it when it is gone, or quiet for long."""
        file = self._files[identity]
        file.left = time.monotonic() if file.left is None else file.left
        status = _beside(file, identity) if file.manner in (Manner.LINES, Manner.ROWS) else None
        if status is not None:
            self._update(file, status)
        long = LEAVING * self._timing.quiet
        over = file.size <= file.at and file.rests(long) and time.monotonic() - file.left >= long
        if status is None or over:
            del self._files[identity]
            self._trouble.pop(file.path, None)

    def _taken(self, file: Growing) -> Taken | None:
        """What can be taken of the file; where nothing can, ``due`` says when to look again."""
        if file.manner is None or (file.manner is Manner.WHOLE and file.judged < HEAD):
            self._judge(file)
        if file.manner is Manner.WHOLE:
            patience = min(PATIENCE, self._timing.quiet * 2 ** min(file.readings, 20))
            if file.rests(patience):
                return Taken(file=file, pieces=(), end=0)
            file.due = file.since + patience
            return None
        known = tuple(self._again(file))
        at = max(file.at, sum(each.content_size for each in known))
        ends = list(self._ends(file, at))
        if not known and not ends:
            file.due = next((t for t in self._later(file) if t > time.monotonic()), math.inf)
            return None
        found = tuple(pieces.survey_piece(file.path, start, end, self._limits) for start, end in ends)
        return Taken(file=file, pieces=(*known, *found), end=ends[-1][1] if ends else at)

    def _judge(self, file: Growing) -> None:
        """Find how the file can be taken."""
        file.judged = file.size
        file.manner = pieces.manner_of(pieces.head_of(file.path, self._limits), self._texts)

    def _again(self, file: Growing) -> Iterator[Acquisition]:
        """The pieces that an earlier run acquired, as far as they end where a line or row does."""
        spans = self._spans.get(file.path.parent, {}) if file.at == 0 else {}
        at = 0
        for piece in pieces.known_pieces(file.path, spans, file.size, self._limits):
            at += piece.content_size
            if not self._is_cut_well(file, at - piece.content_size, at):
                return
            yield piece

    def _is_cut_well(self, file: Growing, start: int, end: int) -> bool:
        """Whether a line, or the row that begins at ``start`` or a later one, ends at ``end``."""
        if file.manner is Manner.LINES:
            return pieces.ends_a_line(file.path, end, self._limits)
        while (at := pieces.end_of_rows(file.path, start, end, self._limits)) > start:
            start = at
        return start == end

    def _ends(self, file: Growing, at: int) -> Iterator[tuple[int, int]]:
        """The pieces of whole lines or rows from ``at`` on, and a last line that is not ended but whole."""
        find = pieces.end_of_rows if file.manner is Manner.ROWS else pieces.end_of_lines
        while (end := find(file.path, at, file.size, self._limits)) > at:
            yield at, end
            at = end
        if at < file.size and self._is_finished(file, at):
            yield at, file.size

    def _is_finished(self, file: Growing, at: int) -> bool:
        """Whether the last line, which no line end ends, is taken as it is."""
        if file.rests(LONG * self._timing.quiet):
            return True
        lines = file.manner is Manner.LINES and file.rests(self._timing.quiet)
        return lines and pieces.is_whole_record(file.path, at, file.size, self._limits)

    def _later(self, file: Growing) -> tuple[float, float]:
        """When an unfinished last line may be taken."""
        return file.since + self._timing.quiet, file.since + LONG * self._timing.quiet


def _may(file: Growing) -> bool:
    """Whether it is worth a look into the file now."""
    grown = file.manner not in (Manner.LINES, Manner.ROWS) or file.size > file.at
    return grown and time.monotonic() >= file.due


def _beside(file: Growing, identity: tuple[int, int]) -> os.stat_result | None:
    """The state of a file that was renamed within its folder, None where it is not there any more."""
    try:
        with os.scandir(file.path.parent) as found:
            for entry in found:
                status = entry.stat(follow_symlinks=False)
                if (status.st_dev, status.st_ino) == identity:
                    file.path = Path(entry.path)
                    return status
    except OSError:
        return None
    return None
