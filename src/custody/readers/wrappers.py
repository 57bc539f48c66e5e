"""From the bytes of a value to the record in it: what the sources declare about their wrappings, applied."""

import hashlib
import json
import re
from collections.abc import Collection, Sequence

import msgspec

from custody.model.records import FORM_ARRAY, FORM_DOCUMENT, FORM_LINES, Framed, Wrapping
from custody.readers import json_guard
from custody.readers.limits import Limits

_KEY = re.compile(r'[ \t\n\r]*[{,][ \t\n\r]*("[^"\\]*+(?:\\.[^"\\]*+)*+")[ \t\n\r]*:[ \t\n\r]*')
_HEAD = rb"[ \t\n\r]*\{[ \t\n\r]*(%s)[ \t\n\r]*:[ \t\n\r]*\["
_SCANNER = json.JSONDecoder(parse_int=str, parse_float=str)
_JSON = re.compile(r'[ \t\n\r]*(?:\{|\[[ \t\n\r]*(?:[\[\]{"]|\Z))')


class Wrapper(msgspec.Struct, frozen=True):
    """A wrapping around one record: ``path`` leads to the member that is the record."""

    path: tuple[str, ...]
    form: str
    encoded: bool
    marker: str | None
    text: str | None = None
    sender: tuple[str, str] | None = None


class Place(msgspec.Struct, frozen=True):
    """What a value can be where it stands: one of ``wrappers``, tried in this order, else a record of ``form``."""

    form: str
    wrappers: tuple[Wrapper, ...]


class Wrappings:
    """The declared wrappings, sorted by where they can stand."""

    def __init__(self, wrappings: Sequence[Wrapping]) -> None:
        self._alone = _wrappers([w for w in wrappings if w.container is None])
        self.containers = frozenset(w.container for w in wrappings if w.container is not None)
        self._declared = {name: [w for w in wrappings if w.container == name] for name in self.containers}
        self._places: dict[tuple[str, frozenset[str]], Place | None] = {}
        self.array, self.lines, self.document = (
            Place(form, self._alone) for form in (FORM_ARRAY, FORM_LINES, FORM_DOCUMENT)
        )
        self.besides = {
            name: frozenset(w.beside for w in those if w.beside is not None) for name, those in self._declared.items()
        }
        self.all_besides = frozenset[str]().union(*self.besides.values())
        sure = sorted(name for name in self.containers if self.place(name, ()) is not None)
        names = b"|".join(re.escape(json.dumps(name, ensure_ascii=False).encode()) for name in sure)
        self.head = re.compile(_HEAD % (names or b"(?!)"))

    def place(self, container: str, present: Collection[str]) -> Place | None:
        """Where the elements of a declared array stand, given the members ``present`` in its object.

        None where no declaration of the array holds without the members that are absent: it is no container then.
        """
        key = (container, self.besides[container].intersection(present))
        if key not in self._places:
            self._places[key] = self._place(*key)
        return self._places[key]

    def _place(self, container: str, present: frozenset[str]) -> Place | None:
        holding = [w for w in self._declared[container] if w.beside is None or w.beside in present]
        if not holding:
            return None
        form = next((w.form for w in holding if w.inner is None), FORM_ARRAY)
        return Place(form, _wrappers(holding) + self._alone)

    def holds_container(self, value: object) -> bool:
        """Whether a value at the top level is an object around records."""
        if not isinstance(value, dict) or self.containers.isdisjoint(value):
            return False
        return any(
            isinstance(value.get(name), list) and self.place(name, value) is not None for name in self.containers
        )


class Framer:
    """Makes a Framed of the bytes of a value."""

    def __init__(self, wrappings: Wrappings, limits: Limits) -> None:
        self.wrappings = wrappings
        self._limits = limits

    def too_large(self, at: int, length: int, form: str, digest: bytes) -> Framed:
        """A record that is not held: only its hash."""
        return Framed(at, length, None, form, "too-large", digest)

    def element(self, at: int, raw: bytes, place: Place) -> Framed:
        """A record, or the one inside a wrapper, or what is wrong with it."""
        if len(raw) > self._limits.max_record:
            return self.too_large(at, len(raw), place.form, hashlib.sha256(raw).digest())
        problem, value = json_guard.read(raw, self._limits.max_depth)
        return self.checked(at, raw, place, problem, value)

    def checked(self, at: int, raw: bytes, place: Place, problem: str | None, value: object) -> Framed:
        """The same where the guard has already read ``raw``."""
        if problem is None and isinstance(value, dict):
            for wrapper in place.wrappers:
                if wrapper.path[0] in value and (inner := _inner(wrapper, value)) is not None:
                    return self._inner(at, raw, wrapper, inner)
        return Framed(at, len(raw), raw, place.form, problem)

    def _inner(self, at: int, raw: bytes, wrapper: Wrapper, inner: object) -> Framed:
        for name in wrapper.path:
            start, end = _member(raw, name)
            at, raw = at + start, raw[start:end]
        problem = self._encoded(inner) if isinstance(inner, str) else None
        return Framed(at, len(raw), raw, wrapper.form, problem)

    def _encoded(self, text: str) -> str | None:
        """What is wrong with the text in a string: it must be JSON only where it begins as JSON does."""
        try:
            raw = text.encode()
        except UnicodeEncodeError:
            return "invalid-utf8"
        return json_guard.check(raw, self._limits.max_depth) if _JSON.match(text) else None


def _wrappers(wrappings: Sequence[Wrapping]) -> tuple[Wrapper, ...]:
    return tuple(
        Wrapper(tuple(w.inner.split(".")), w.form, w.encoded, w.marker, w.text, w.sender)
        for w in wrappings
        if w.inner is not None
    )


def _inner(wrapper: Wrapper, value: dict[str, object]) -> object:
    """The member that is the record, None where this is not that wrapper."""
    inner: object = value
    for name in wrapper.path:
        inner = inner.get(name) if isinstance(inner, dict) else None
    marked = wrapper.marker is None or wrapper.marker in value
    if wrapper.text is not None and isinstance(inner, str) and re.match(wrapper.text, inner) is None:
        return None
    if wrapper.sender is not None and not str(value.get(wrapper.sender[0])).startswith(wrapper.sender[1]):
        return None
    return inner if marked and isinstance(inner, str if wrapper.encoded else dict) else None


def _member(raw: bytes, name: str) -> tuple[int, int]:
    """Where the value of a member stands in an object that the guard has passed (so it is JSON, not too deep)."""
    text, at, plain = raw.decode("latin-1"), 0, json.dumps(name)
    while found := _KEY.match(text, at):
        start = found.end()
        _, at = _SCANNER.raw_decode(text, start)
        key = found[1]
        if key == plain or ("\\" in key and json.loads(raw[found.start(1) : found.end(1)]) == name):
            return start, at
    raise AssertionError(name)
