"""Records of any file, found step by step. Slower than splitting in one go, and right for every file.

The top level is a sequence of values with white space between: one document, many, or one on each line. An object
with a declared array (``Records``) and a top-level array are containers of records. What is not JSON is framed as
such, in the smallest piece that can be told apart: an element, a line, the rest of the file.
"""

import json
import re
from collections.abc import Generator, Iterator

import msgspec

from custody.model.records import FORM_ARRAY, Framed
from custody.readers import json_guard, scan
from custody.readers.limits import MIB, Limits
from custody.readers.scan import Window
from custody.readers.wrappers import Framer, Place

_SNIFFED = MIB
_LIKE_JSON = re.compile(
    rb'^(?:\xef\xbb\xbf)?[ \t\r]*+(?:\{[ \t\r\n]*+(?:["}]|\Z)|\[[ \t\r\n]*+(?:[\[\]{"]|\Z))', re.MULTILINE
)
_CONTAINER_HEAD = 512
_NO_VALUE = frozenset(b",:}")
_NO_START = frozenset((*b",:}]", -1))
_NOT_JSON = "not-json"
_Frames = Generator[Framed, None, int]
"""Frames, and the offset behind them."""
_End = tuple[int, bool]
"""An offset, and whether what ends there is whole."""


class _Object(msgspec.Struct):
    """An object at the top level that is walked.

    ``present`` are the names met in it that some declared array asks for, ``contained`` the declared arrays.
    """

    start: int
    present: set[str] = msgspec.field(default_factory=set)
    contained: set[str] = msgspec.field(default_factory=set)


class Walk:
    """One walk over one window."""

    def __init__(self, window: Window, framer: Framer, limits: Limits) -> None:
        self._window = window
        self._framer = framer
        self._wrappings = framer.wrappings
        self._limits = limits
        self._cut = False
        self._tried = 0
        self._attempts = 4 * limits.max_record

    def frames(self, lead: bytes = b"") -> Iterator[Framed]:
        """Every record of the file, ascending; ``lead`` is what its file begins with where this is a piece of it."""
        head = self._window.peek(_SNIFFED)
        if not (lead and _LIKE_JSON.search(lead)) and not _LIKE_JSON.search(head):
            yield from self._blob()
            return
        at = 0
        while self._window.byte(at := self._window.between(at)) != -1:
            at = yield from self._top(at)

    def _blob(self) -> Iterator[Framed]:
        """A file without anything like a record: one document or no JSON at all."""
        window = self._window
        at = window.between(0)
        if window.byte(at) != -1:
            end = window.finish()
            yield self._framed(at, self._trimmed(at, end), self._wrappings.document)

    def _trimmed(self, at: int, end: int) -> int:
        """The end without trailing white space; a record that is only hashed keeps it."""
        return end if end - at > self._limits.max_record else at + len(self._window.slice(at, end).rstrip())

    def _top(self, at: int) -> _Frames:
        """One value at the top level, or a line that is none."""
        window = self._window
        first = window.byte(at)
        if first == scan.OPEN_BRACKET:
            return (yield from self._elements(at + 1, self._wrappings.array))[0]
        if first == scan.OPEN_BRACE and self._opens_container(at):
            return (yield from self._object(at))
        framed, contains = self._whole_line(at)
        if framed is not None:
            yield framed
            return self._tried
        if first == scan.OPEN_BRACE and (contains or self._attempts > 0):
            return (yield from self._object(at))
        return (yield from self._line(at))

    def _whole_line(self, at: int) -> tuple[Framed | None, bool]:
        """The record that fills the rest of the line, if it does, and whether it is an object around records.

        Tried once a line: a line of a million values is not read a million times.
        """
        if at < self._tried:
            return None, False
        end = self._window.line_end(at)
        self._tried = at + self._limits.max_record if end is None else end
        if end is None:
            return None, False
        raw = self._window.slice(at, end).rstrip(b" \t\r")
        problem, value = json_guard.read(raw, self._limits.max_depth)
        contains = self._wrappings.holds_container(value)
        if problem is not None or contains:
            return None, contains
        return self._framer.checked(at, raw, self._wrappings.lines, None, value), False

    def _opens_container(self, at: int) -> bool:
        window = self._window
        window.byte(at + _CONTAINER_HEAD, keep=at)
        return self._wrappings.head.match(window.slice(at, at + _CONTAINER_HEAD)) is not None

    def _line(self, at: int, behind: int | None = None) -> _Frames:
        """The rest of a line as one record, mostly a broken one; all up to ``behind`` is known to belong to it."""
        end = self._window.find(scan.LINE_END, at if behind is None else behind)
        yield self._framed(at, self._trimmed(at, end), self._wrappings.lines)
        return end

    def _object(self, at: int) -> _Frames:
        """An object at the top level: around records, or a record, over as many lines as it takes."""
        end, whole, contains = yield from self._members(at)
        if not contains:
            if not whole and self._window.holds(at):
                end, whole = scan.value_end(self._window, at)
            return (yield from self._document(at, end, whole))
        if whole:
            return end
        self._window.begin(end)
        if self._window.byte(end) != -1:
            return (yield from self._line(end))
        if not self._cut:
            yield _missing(end)
        return end

    def _members(self, at: int) -> Generator[Framed, None, tuple[int, bool, bool]]:
        """Walk the members of an object, framing the elements of declared arrays.

        Returns the end, whether the object is whole, and whether it has such an array. A second array of the same
        name is walked too, and its name is framed as the problem that it is: most parsers would show only one.
        """
        window, found = self._window, _Object(at)
        window.begin(at, lines=True)
        at = window.space(at + 1)
        if window.byte(at) == scan.CLOSE_BRACE:
            return at + 1, True, False
        while True:
            if found.contained:
                window.begin(at)
            name_end, value = self._member_name(at)
            if value is None:
                return name_end, False, bool(found.contained)
            at, whole = yield from self._value(at, name_end, value, found)
            if not whole:
                return at, False, bool(found.contained)
            at = window.space(at)
            closed = window.byte(at) == scan.CLOSE_BRACE
            if closed or window.byte(at) != scan.COMMA:
                return at + closed, closed, bool(found.contained)
            at = window.space(at + 1)

    def _value(self, at: int, name_end: int, value: int, found: _Object) -> Generator[Framed, None, _End]:
        """One member's value: the elements of a declared array, or nothing."""
        window, name = self._window, self._name(at, name_end)
        if name in self._wrappings.all_besides:
            found.present.add(name)
        if name not in self._wrappings.containers or window.byte(value) != scan.OPEN_BRACKET:
            return scan.value_end(window, value)
        place = self._place(name, value, found)
        if place is None:
            return scan.value_end(window, value)
        if name in found.contained:
            yield Framed(at, name_end - at, window.slice(at, name_end), FORM_ARRAY, "duplicate-keys")
        found.contained.add(name)
        return (yield from self._elements(value + 1, place))

    def _place(self, name: str, value: int, found: _Object) -> Place | None:
        """Where the elements of the array at ``value`` stand, None where it is no container in this object.

        The members that decide may come after it. An object over the record limit is taken apart without them: it
        would be withheld otherwise. But where a line in it starts an object, it may be a line that was cut.
        """
        wanted = self._wrappings.besides[name]
        if wanted <= found.present:
            return self._wrappings.place(name, found.present)
        with self._window.ahead():
            later, end = self._names_after(value, wanted - found.present)
        if end - found.start <= self._limits.max_record:
            return self._wrappings.place(name, found.present | later)
        torn = not found.contained and self._window.starts_line(found.start, end)
        return self._wrappings.place(name, found.present if torn else wanted)

    def _names_after(self, value: int, wanted: frozenset[str]) -> tuple[set[str], int]:
        """Which of the ``wanted`` names come after the member at ``value``, and the offset to which this was read."""
        window, names = self._window, set[str]()
        at, whole = scan.value_end(window, value)
        while whole and not wanted <= names:
            at = window.space(at)
            if window.byte(at) != scan.COMMA:
                return names, at + (window.byte(at) == scan.CLOSE_BRACE)
            at = window.space(at + 1)
            end, start = self._member_name(at)
            if start is None:
                return names, end
            if (name := self._name(at, end)) in wanted:
                names.add(name)
            at, whole = scan.value_end(window, start)
        return names, at

    def _member_name(self, at: int) -> tuple[int, int | None]:
        """The end of a member's name and the start of its value; None where there is no name, colon and value."""
        window = self._window
        if window.byte(at) != scan.QUOTE:
            return at, None
        end, whole = scan.string_end(window, at + 1)
        if not whole:
            return end, None
        colon = window.space(end)
        if window.byte(colon) != scan.COLON:
            return colon, None
        value = window.space(colon + 1)
        return (end, value) if window.byte(value) not in _NO_START else (value, None)

    def _name(self, at: int, end: int) -> str:
        """A member's name, whatever its spelling; empty where it is none that could matter."""
        if end - at > _CONTAINER_HEAD or not self._window.holds(at):
            return ""
        try:
            return str(json.loads(self._window.slice(at, end)))
        except ValueError:
            return ""

    def _document(self, at: int, end: int, whole: bool) -> _Frames:
        window = self._window
        torn = window.full or end - at > self._limits.max_record
        if whole and not torn:
            raw = window.slice(at, end)
            problem, value = json_guard.read(raw, self._limits.max_depth)
            if problem not in (_NOT_JSON, "invalid-utf8"):
                place = self._wrappings.document if b"\n" in raw else self._wrappings.lines
                yield self._framer.checked(at, raw, place, problem, value)
                return end
        if window.starts_line(at, end):
            self._attempts -= end - at
            return (yield from self._line(at))
        if not whole:
            return (yield from self._line(at, end))
        yield self._framed(at, end, self._wrappings.document)
        return end

    def _elements(self, at: int, place: Place) -> Generator[Framed, None, _End]:
        """The elements of an array from behind its bracket to behind the closing one, and whether it was there."""
        window = self._window
        comma: int | None = None
        last: Framed | None = None
        while (first := self._next(at)) not in (-1, scan.CLOSE_BRACKET):
            at = window.mark
            sound = last is not None and last.problem is None
            if first in _NO_VALUE:
                end = scan.junk_end(window, at)
                last = self._framed(at, self._trimmed(at, end), self._wrappings.array, _NOT_JSON)
            else:
                if sound and comma is None:
                    yield _missing(at)
                end, whole = scan.value_end(window, at)
                last = self._framed(at, end, place, None if whole else _NOT_JSON)
            yield last
            at, comma = self._comma(end)
        at = window.mark
        if first == -1:
            self._cut = True
            if last is None or last.problem is None:
                yield _missing(at)
            return at, False
        if comma is not None:
            yield Framed(comma, 1, b",", FORM_ARRAY, _NOT_JSON)
        return at + 1, True

    def _next(self, at: int) -> int:
        """The byte behind white space, where the next record may begin."""
        self._window.begin(at)
        self._window.begin(self._window.space(at))
        return self._window.byte(self._window.mark)

    def _comma(self, at: int) -> tuple[int, int | None]:
        window = self._window
        window.begin(at)
        at = window.space(at)
        return (at + 1, at) if window.byte(at) == scan.COMMA else (at, None)

    def _framed(self, at: int, end: int, place: Place, problem: str | None = None) -> Framed:
        """The record that the window began at ``at``. ``problem`` is what is known of it before its bytes are read."""
        raw, digest = self._window.take(end)
        if raw is None:
            return self._framer.too_large(at, end - at, place.form, digest or b"")
        framed = self._framer.element(at, raw, place)
        if problem and framed.problem is None:
            return Framed(at, end - at, raw, framed.form, problem)
        return framed


def _missing(at: int) -> Framed:
    """A place where a value, a comma or a closing bracket should stand: an empty record that is not JSON."""
    return Framed(at, 0, b"", FORM_ARRAY, _NOT_JSON)
