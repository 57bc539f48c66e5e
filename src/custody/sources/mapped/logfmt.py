"""Lines of logfmt: ``key=value key="two words"``, nothing else on the line."""

import re

import msgspec

_NAME = r"[A-Za-z_@][A-Za-z0-9_.@/-]{0,127}"
_VALUE = r'(?:"(?:[^"\\]|\\.)*+"|[^\s"]*+)'
HEAD = rf"{_NAME}=\S*(?: |$)"
_LINE = re.compile(rf"{_NAME}={_VALUE}(?:[ \t]+{_NAME}={_VALUE})*+[ \t]*")
_PAIR = re.compile(rf"({_NAME})=({_VALUE})")
_FIRST = re.compile(rf"{_NAME}=".encode())


def begins(raw: bytes) -> bool:
    """Whether ``raw`` begins as a line of logfmt does."""
    return _FIRST.match(raw) is not None


def places(raw: bytes) -> list[tuple[str, int, int]]:
    """Names, and where their values stand without their quotes; nothing for what is no line. Positions are of bytes."""
    text = raw.decode("latin-1")
    if _LINE.fullmatch(text) is None:
        return []
    found = []
    for pair in _PAIR.finditer(text):
        start, end = pair.span(2)
        quoted = pair[2].startswith('"')
        found.append((pair[1], start + quoted, end - quoted))
    return found


def fields(raw: bytes) -> dict[str, object] | None:
    """The fields of a line; None where it is none, or has a name twice."""
    text = raw.decode()
    if _LINE.fullmatch(text) is None:
        return None
    told = [(name, _unquoted(value)) for name, value in _PAIR.findall(text)]
    found: dict[str, object] = dict(told)
    return found if len(found) == len(told) else None


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return msgspec.json.decode(value.encode(), type=str)
    except msgspec.DecodeError:
        return value[1:-1]
