r"""Lines of logrus as its text and its JSON formatter write them, as names and texts.

The text formatter quotes what holds anything but ``a-z A-Z 0-9 - . _ / @ ^ +`` (as Go quotes a string), so that no
value can pose as another field. The form for terminals (``DEBU[0061] …``) has no date and is not read.
"""

import re
from functools import lru_cache

import msgspec

from custody.errors import SourceError

_PREFIX = r"(?:[^\r\n\"=]{1,200} )?"
"""What a container runtime or a journal puts before a line."""
HEAD = _PREFIX + r'time="[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9]{2}:?[0-9]{2})" level=[a-z]+ msg='
_VALUE = r'(?:"(?:[^"\\]|\\.)*+"|[^\s"]*+)'
_LINE = re.compile(
    _PREFIX
    + rf'time="(?P<time>[^"\\]*)" level=(?P<level>[a-z]+) msg=(?P<msg>{_VALUE})(?P<rest>(?: [^\s="]+={_VALUE})*+)'
)
_PAIR = re.compile(rf" ([^\s=\"]+)=({_VALUE})")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|U([0-9a-fA-F]{8})|(.))")
_MOST = 0x10FFFF
_OBJECT = msgspec.json.Decoder(dict[str, object])


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line: when, how grave, what was said, and what goes with it. ``twice`` says that a name stands twice."""

    time: str
    level: str
    message: str
    fields: dict[str, str]
    twice: bool = False

    def get(self, *names: str) -> str | None:
        """The first of these fields that is there and not empty."""
        for name in names:
            found = self.fields.get(name)
            if found:
                return found
        return None


@lru_cache(maxsize=4)
def line_of(raw: bytes) -> Line | None:
    """The line in ``raw``, None where it is none of SPIRE's. Raises for bytes that are no text or no JSON.

    The latest are remembered, for a line is asked for more than once on its way: nobody may change them.
    """
    found = _of_object(_OBJECT.decode(raw)) if raw[:1] == b"{" else _of_text(raw.decode())
    return found if found is not None and _is_of_spire(found) else None


def needed(raw: bytes) -> Line:
    """The line in ``raw``; SourceError where it is none."""
    found = line_of(raw)
    if found is None:
        raise SourceError("no line of SPIRE", expected="time, level, msg and subsystem_name")
    return found


def pairs(raw: bytes) -> list[tuple[str, int, int]]:
    """The fields of a line of text, with where their values stand, quotes left out. Positions are of bytes."""
    found = _LINE.fullmatch(raw.decode("latin-1"))
    if found is None:
        return []
    placed = []
    for pair in _PAIR.finditer(found.string, found.start("rest")):
        start, end = pair.span(2)
        quoted = pair[2].startswith('"')
        placed.append((pair[1], start + quoted, end - quoted))
    return placed


def _is_of_spire(line: Line) -> bool:
    return bool(line.fields.get("subsystem_name")) or line.fields.get("type") == "audit"


def _of_object(value: dict[str, object]) -> Line | None:
    time, level, message = (value.get(name) for name in ("time", "level", "msg"))
    if not isinstance(time, str) or not isinstance(level, str) or not isinstance(message, str):
        return None
    fields = {name: text for name, entry in value.items() if (text := _text(entry)) is not None}
    return Line(time, level, message, fields)


def _text(value: object) -> str | None:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list():
            return ",".join(entry for entry in value if isinstance(entry, str)) or None
    return None


def _of_text(text: str) -> Line | None:
    found = _LINE.fullmatch(text)
    if found is None:
        return None
    told = [(name, _unquoted(value)) for name, value in _PAIR.findall(found["rest"])]
    fields = dict(told)
    return Line(found["time"], found["level"], _unquoted(found["msg"]), fields, twice=len(fields) < len(told))


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return msgspec.json.decode(value.encode(), type=str)
    except msgspec.DecodeError:
        return _ESCAPE.sub(_unescaped, value[1:-1])


def _unescaped(found: re.Match[str]) -> str:
    """Escapes of Go that JSON does not have; what is none of them stays as it stands."""
    code = int(found[1] or found[2] or "0", 16)
    return chr(code) if (found[1] or found[2]) and code <= _MOST and not 0xD800 <= code < 0xE000 else found[0]
