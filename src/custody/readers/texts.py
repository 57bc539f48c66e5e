"""Records of a file of text: its lines, or its rows of RFC 4180, in a framing that a source declared.

Each line or row without its line end (LF or CRLF) is a record, exactly as it stands; blank ones are none. Lines that
are JSON objects are framed as they would be among other lines of JSON. Nothing that the bytes hold raises.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec

from custody.model.records import Framed, TextFraming
from custody.readers import json_guard, scan
from custody.readers.limits import DEFAULT, KIB, Limits
from custody.readers.scan import Window
from custody.readers.walk import Walk
from custody.readers.wrappers import Framer

HEAD = 64 * KIB
"""How much of a file is looked at to tell its framing, and how many lines of it."""
_HEAD_LINES = 200
_LONGEST_HEADER = 4 * KIB
_START = re.compile(rb"(?:[ \t\r]*+\n|\xef\xbb\xbf)*+")
_JSON_ARRAY = re.compile(rb'\[[ \t\n\r]*(?:[\[\]{"]|\Z)')
_JSON_LINE = re.compile(rb"[ \t]*+\{")
_FIELD = rb'(?:"[^"]*+(?:""[^"]*+)*+"[^,\n]*+|(?!")[^,\n]*+)'
_ROW = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+(?=\n)")
_FIELD_END = re.compile(rb"[,\n]")
_QUOTE = re.compile(rb'"')


class Framing(msgspec.Struct, frozen=True):
    """How one file is read: the form of its records, and how many bytes at its start are no record."""

    form: str
    csv: bool
    begins: int


def framing_of(head: bytes, texts: Sequence[TextFraming]) -> Framing | None:
    """The framing of the file that begins with ``head`` (its first ``HEAD`` bytes), None where it has none.

    The one that matches the earliest line is taken, of several the first by form. One whose header is too long, is
    not UTF-8 or does not end is passed over.
    """
    found = _START.match(head)
    at = found.end() if found else 0
    possible = sorted(_possible(head[at:].lstrip(b" \t\r"), texts), key=lambda text: text.form)
    for line in head[at:].split(b"\n", _HEAD_LINES)[: _HEAD_LINES if possible else 0]:
        for text in possible:
            if re.match(text.head.encode(), line.removesuffix(b"\r")):
                framing = _framing(text, head, at)
                if framing is not None:
                    return framing
    return None


def _possible(first: bytes, texts: Sequence[TextFraming]) -> list[TextFraming]:
    """The framings that a file can be in by its ``first`` bytes: what begins as JSON is JSON.

    Except where a whole object stands on its first line, for a log can mix both, and that a row can begin with a
    quoted field.
    """
    if not first or _JSON_ARRAY.match(first):
        return []
    if first.startswith(b"{"):
        line, end, _ = first.partition(b"\n")
        mixed = bool(end) and isinstance(json_guard.read(line, DEFAULT.max_depth)[1], dict)
        return [text for text in texts if mixed and not text.csv]
    return [text for text in texts if text.csv or not first.startswith(b'"')]


def _framing(text: TextFraming, head: bytes, at: int) -> Framing | None:
    if not text.header:
        return Framing(text.form, text.csv, at)
    window = Window((head[at : at + _LONGEST_HEADER + 2],), HEAD)
    end, whole = _row_end(window, 0) if text.csv else (window.find(scan.LINE_END, 0), True)
    header = window.slice(0, end).removesuffix(b"\r")
    if not whole or len(header) > _LONGEST_HEADER or not _is_utf8(header):
        return None
    return Framing(f"{text.form} {header.decode()}", text.csv, at + end)


class Texts:
    """One reading of one file of text."""

    def __init__(self, window: Window, framer: Framer, limits: Limits, framing: Framing) -> None:
        self._window = window
        self._framer = framer
        self._limits = limits
        self._form = framing.form
        self._csv = framing.csv
        self._begins = framing.begins

    def frames(self) -> Iterator[Framed]:
        """Every record of the file, ascending."""
        window, at = self._window, self._begins
        while window.byte(at) != -1:
            window.begin(at)
            end, whole = _row_end(window, at) if self._csv else (window.find(scan.LINE_END, at), True)
            raw, digest = window.take(end)
            if raw is None:
                yield self._framer.too_large(at, end - at, self._form, digest or b"")
            elif not whole:
                yield Framed(at, len(raw), raw, self._form, "malformed")
            elif raw := raw.removesuffix(b"\r"):
                yield from self._record(at, raw)
            at = end + 1

    def _record(self, at: int, raw: bytes) -> Iterator[Framed]:
        if not self._csv and _JSON_LINE.match(raw):
            framed = self._json(at, raw)
            if framed is not None:
                yield from framed
                return
        if not raw.isspace():
            yield Framed(at, len(raw), raw, self._form, None if _is_utf8(raw) else "invalid-utf8")

    def _json(self, at: int, line: bytes) -> Iterator[Framed] | None:
        """The records of a line that is a JSON object, or was to be one; None where it is text."""
        raw = line.strip(b" \t\r")
        at += line.index(b"{")
        problem, value = json_guard.read(raw, self._limits.max_depth)
        if self._framer.wrappings.holds_container(value):
            return self._contained(at, raw)
        if problem in ("invalid-utf8", "not-json") and not line.startswith(b'{"'):
            return None
        return iter((self._framer.checked(at, raw, self._framer.wrappings.lines, problem, value),))

    def _contained(self, start: int, raw: bytes) -> Iterator[Framed]:
        for each in Walk(Window((raw,), self._limits.max_record), self._framer, self._limits).frames():
            yield msgspec.structs.replace(each, at=start + each.at)


def rows_end(window: Window, most: int) -> int:
    """Behind the last row that a line end ends, or behind the first that ends after ``most`` bytes."""
    at = 0
    while at <= most and window.byte(at) != -1:
        window.begin(at)
        end, whole = _row_end(window, at)
        if not whole or window.byte(end) == -1:
            break
        at = end + 1
    return at


def _row_end(window: Window, at: int) -> tuple[int, bool]:
    """The line end behind the row that starts at ``at`` (or the end), and whether no quoted field is left open."""
    if (end := window.match(_ROW, at)) is not None:
        return end, True
    while True:
        if window.byte(at) == scan.QUOTE:
            at = _quoted_end(window, at + 1)
            if at < 0:
                return window.finish(), False
        at = window.find(_FIELD_END, at)
        if window.byte(at) != scan.COMMA:
            return at, True
        at += 1


def _quoted_end(window: Window, at: int) -> int:
    """Behind the closing quote of a field whose content starts at ``at``, -1 where there is none."""
    while True:
        at = window.find(_QUOTE, at) + 1
        if window.byte(at - 1) == -1:
            return -1
        if window.byte(at) != scan.QUOTE:
            return at
        at += 1


def _is_utf8(raw: bytes) -> bool:
    if raw.isascii():
        return True
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
