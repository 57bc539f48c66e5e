"""A window that moves over a stream of bytes, and the places in it where JSON values end.

Values are found by their brackets and strings alone: a value that is not valid JSON still ends somewhere, so that
the records after it are not lost. Nothing recurses. Offsets are those in the whole stream.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

QUOTE, OPEN_BRACE, OPEN_BRACKET, CLOSE_BRACE, CLOSE_BRACKET = b'"{[}]'
COMMA, COLON, NEWLINE = b",:\n"

_SPACE = re.compile(rb"[ \t\n\r]*+")
_BETWEEN = re.compile(rb"(?:[ \t\n\r]|\xef\xbb\xbf)*+")
_PLAIN = re.compile(rb'[^"\[\]{}]*+(?:"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+"[^"\[\]{}]*+)*+')
_TEXT = re.compile(rb'[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+')
LINE_END = re.compile(rb"\n")
_SCALAR_END = re.compile(rb'[ \t\n\r,:\[\]{}"]')
_JUNK_END = re.compile(rb"[^ \t\n\r,:}]")
_MARK = b"\xef\xbb\xbf"


class Window:
    """What is held of a stream: from the start of the current record on, at most ``max_record`` and a block.

    A record that outgrows the limit is hashed and let go. But while ``lines`` is set in ``begin``, a window that is
    full and has a line that starts with ``{`` pretends to end there (``full``): the record may have been cut off.
    ``mark`` is where the record begins.
    """

    def __init__(self, blocks: Iterable[bytes], max_record: int) -> None:
        self._blocks = iter(blocks)
        self._max = max_record
        self.mark = self._hashed = self._base = 0
        self._lines = self._looking = False
        self._hasher = hashlib.sha256()
        self.data = b""
        self.full = False

    @property
    def end(self) -> int:
        """The offset behind the last byte that is held."""
        return self._base + len(self.data)

    def begin(self, at: int, *, lines: bool = False) -> None:
        """A record starts at ``at``; what stands before it may go."""
        if self._hashed > self.mark:
            self._hasher = hashlib.sha256()
        self.mark = self._hashed = at
        self._lines, self.full = lines, False

    def grow(self, at: int) -> bool:
        """Hold one more block; all before ``at`` belongs to the record. False at the end."""
        if at - self.mark > self._max:
            if self._looking:
                return False
            if self._lines and self.starts_line(self.mark, at):
                self.full = True
                return False
            self._hasher.update(self.slice(self._hashed, at))
            self._hashed = at
        return self._pull()

    @contextmanager
    def ahead(self) -> Iterator[None]:
        """Nothing is let go meanwhile: behind the first block over the limit the stream seems to end."""
        self._looking = True
        try:
            yield
        finally:
            self._looking = False

    def _pull(self) -> bool:
        block = next(self._blocks, None)
        if block is None:
            return False
        self.data = self.data[self._hashed - self._base :] + block
        self._base = self._hashed
        return True

    def slice(self, at: int, end: int) -> bytes:
        """Bytes that are held."""
        return self.data[at - self._base : end - self._base]

    def holds(self, at: int) -> bool:
        """Whether the bytes from ``at`` on are still held."""
        return at >= self._hashed or self._hashed == self.mark <= at

    def byte(self, at: int, keep: int | None = None) -> int:
        """The byte at ``at``, -1 behind the end of the stream. What stands from ``keep`` on stays held."""
        while at >= self.end:
            if not self.grow(at if keep is None else keep):
                return -1
        return self.data[at - self._base]

    def take(self, end: int) -> tuple[bytes | None, bytes | None]:
        """The record from where it began to ``end``: its bytes, or None and its SHA-256 where it is too large."""
        if end - self.mark <= self._max:
            return self.slice(self.mark, end), None
        self._hasher.update(self.slice(self._hashed, end))
        self._hashed = end
        return None, self._hasher.digest()

    def starts_line(self, at: int, end: int) -> bool:
        """Whether a line after the first within the record limit starts an object; False where bytes are gone."""
        last = min(end, at + self._max) - self._base
        return self._hashed == self.mark and self.data.find(b"\n{", at - self._base, last) >= 0

    def peek(self, size: int) -> bytes:
        """The first bytes of the stream; only at its start."""
        while len(self.data) < size and self._pull():
            pass
        return self.data[:size]

    def line_end(self, at: int) -> int | None:
        """The end of the line, None where it is further away than a record is long. Nothing is let go."""
        start = at
        while (found := self.data.find(b"\n", start - self._base)) < 0:
            start = self.end
            if start - at > self._max:
                return None
            if not self._pull():
                return start
        return self._base + found if self._base + found - at <= self._max else None

    def match(self, pattern: re.Pattern[bytes], at: int) -> int | None:
        """Behind what ``pattern`` matches at ``at`` in the bytes that are held, None where it does not."""
        found = pattern.match(self.data, at - self._base)
        return None if found is None else self._base + found.end()

    def find(self, pattern: re.Pattern[bytes], at: int) -> int:
        """Where ``pattern`` (of one byte) is next, or the end."""
        while (found := pattern.search(self.data, at - self._base)) is None:
            at = self.end
            if not self.grow(at):
                return at
        return self._base + found.start()

    def finish(self) -> int:
        """The end of the stream; all of it belongs to the record."""
        while self.grow(self.end):
            pass
        return self.end

    def skip(self, pattern: re.Pattern[bytes], at: int) -> int:
        """Behind what ``pattern`` matches at ``at``."""
        while True:
            found = pattern.match(self.data, at - self._base)
            at = self._base + found.end() if found else at
            if at < self.end or not self.grow(at):
                return at

    def space(self, at: int) -> int:
        """Behind white space."""
        return self.skip(_SPACE, at)

    def between(self, at: int) -> int:
        """Behind white space and byte order marks, none of which belongs to a record."""
        while True:
            self.begin(at)
            at = self.skip(_BETWEEN, at)
            self.begin(at)
            if not (0 < self.end - at < len(_MARK) and _MARK.startswith(self.slice(at, self.end))) or not self._pull():
                return at


def value_end(window: Window, at: int) -> tuple[int, bool]:
    """The end of the value that starts at ``at``, and whether it was found: a raw line end in a string breaks it."""
    first = window.byte(at)
    if first in (OPEN_BRACE, OPEN_BRACKET):
        return _bracket_end(window, at)
    if first == QUOTE:
        return string_end(window, at + 1)
    return window.find(_SCALAR_END, at + 1), True


def string_end(window: Window, at: int) -> tuple[int, bool]:
    """The end of the string whose content starts at ``at``: behind its quote."""
    while True:
        at = window.skip(_TEXT, at)
        byte = window.byte(at)
        if byte == QUOTE:
            return at + 1, True
        if byte in (-1, NEWLINE):
            return at, False
        if window.byte(at + 1, keep=at) in (-1, NEWLINE):
            return at + 1, False


def junk_end(window: Window, at: int) -> int:
    """Behind commas, colons and closing braces that stand where a value should."""
    return window.find(_JUNK_END, at)


def _bracket_end(window: Window, at: int) -> tuple[int, bool]:
    depth = 0
    while True:
        at = window.skip(_PLAIN, at)
        byte = window.byte(at)
        if byte == -1:
            return at, False
        at += 1
        if byte == QUOTE:
            at, whole = string_end(window, at)
            if not whole:
                return at, False
        elif byte in (OPEN_BRACE, OPEN_BRACKET):
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                return at, True
