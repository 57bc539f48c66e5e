"""From the bytes of a value to the record in it: what the sources declare about their wrappings, applied."""

import hashlib
import json
import re
from collections.abc import Sequence

from custody.model.records import FORM_ARRAY, Framed, Wrapping
from custody.readers import json_guard
from custody.readers.limits import Limits

_KEY = re.compile(r'[ \t\n\r]*[{,][ \t\n\r]*("[^"\\]*+(?:\\.[^"\\]*+)*+")[ \t\n\r]*:[ \t\n\r]*')
_HEAD = rb"[ \t\n\r]*\{[ \t\n\r]*(%s)[ \t\n\r]*:[ \t\n\r]*\["
_SCANNER = json.JSONDecoder(parse_int=str, parse_float=str)


class Wrappings:
    """The declared wrappings, sorted by where they can stand."""

    def __init__(self, wrappings: Sequence[Wrapping]) -> None:
        self._alone = tuple(w for w in wrappings if w.container is None and w.inner is not None)
        self.containers = frozenset(w.container for w in wrappings if w.container is not None)
        self._forms = {w.container: w.form for w in reversed(wrappings) if w.container is not None and w.inner is None}
        self._inside = {
            name: tuple(w for w in wrappings if w.container == name and w.inner is not None) + self._alone
            for name in self.containers
        }
        names = b"|".join(re.escape(json.dumps(name, ensure_ascii=False).encode()) for name in sorted(self.containers))
        self.head = re.compile(_HEAD % (names or b"(?!)"))

    def form(self, container: str | None, otherwise: str) -> str:
        """The form of an element that is the record itself."""
        return otherwise if container is None else self._forms.get(container, FORM_ARRAY)

    def candidates(self, container: str | None) -> tuple[Wrapping, ...]:
        """The wrappings that an element can be in, in the order in which they are tried."""
        return self._alone if container is None else self._inside[container]

    def holds_container(self, value: object) -> bool:
        """Whether a value at the top level is an object around records."""
        return isinstance(value, dict) and any(isinstance(value.get(name), list) for name in self.containers)


class Framer:
    """Makes a Framed of the bytes of a value."""

    def __init__(self, wrappings: Wrappings, limits: Limits) -> None:
        self.wrappings = wrappings
        self._limits = limits

    def too_large(self, at: int, length: int, form: str, digest: bytes) -> Framed:
        """A record that is not held: only its hash."""
        return Framed(at, length, None, form, "too-large", digest)

    def element(self, at: int, raw: bytes, form: str, container: str | None = None) -> Framed:
        """A record, or the one inside a wrapper, or what is wrong with it."""
        form = self.wrappings.form(container, form)
        if len(raw) > self._limits.max_record:
            return self.too_large(at, len(raw), form, hashlib.sha256(raw).digest())
        problem, value = json_guard.read(raw, self._limits.max_depth)
        return self.checked(at, raw, form, problem, value, self.wrappings.candidates(container))

    def checked(
        self, at: int, raw: bytes, form: str, problem: str | None, value: object, candidates: tuple[Wrapping, ...]
    ) -> Framed:
        """The same where the guard has already read ``raw``."""
        if problem is None and isinstance(value, dict):
            for wrapping in candidates:
                if _fits(wrapping, value):
                    return self._inner(at, raw, wrapping, value)
        return Framed(at, len(raw), raw, form, problem)

    def _inner(self, at: int, raw: bytes, wrapping: Wrapping, value: dict[str, object]) -> Framed:
        start, end = _member(raw, str(wrapping.inner))
        inner = value[str(wrapping.inner)]
        problem = self._encoded(inner) if isinstance(inner, str) else None
        return Framed(at + start, end - start, raw[start:end], wrapping.form, problem)

    def _encoded(self, text: str) -> str | None:
        try:
            return json_guard.check(text.encode(), self._limits.max_depth)
        except UnicodeEncodeError:
            return "invalid-utf8"


def _fits(wrapping: Wrapping, value: dict[str, object]) -> bool:
    inner = value.get(str(wrapping.inner))
    marked = wrapping.marker is None or wrapping.marker in value
    return marked and isinstance(inner, str if wrapping.encoded else dict)


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
