"""Every string and number of a JSON document with its place in the bytes and the names that lead to it.

Frozen with the schemes that mask by it. An element of an array has the path of the array. Members that stand twice are
both found, because nothing is decoded but names.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

_TOKEN = re.compile(
    rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"([ \t\r\n]*+:)?|([{\[])|([}\]])|(-?[0-9][0-9.eE+-]*+)|[a-z]++',
    re.DOTALL,
)
_NAME = msgspec.json.Decoder(str)
_TEXT, _NAMED, _OPEN, _CLOSED, _NUMBER = 1, 2, 3, 4, 5

Path = tuple[str, ...]


class Place(NamedTuple):
    """The content of a string (``start`` to ``end`` without the quotes), or a number."""

    path: Path
    start: int
    end: int
    number: bool


def places(raw: bytes, offset: int = 0) -> Iterator[Place]:
    """The places of the JSON value that begins at ``offset``, in order. The value must be valid."""
    stack: list[Path] = []
    path: Path = ()
    for found in _TOKEN.finditer(raw, offset):
        kind = found.lastindex
        if kind == _NAMED:
            path = (*(stack[-1] if stack else ()), _name(found[1]))
        elif kind == _TEXT:
            yield Place(path, *found.span(1), number=False)
        elif kind == _OPEN:
            stack.append(path)
        elif kind == _CLOSED:
            path = stack.pop() if stack else ()
        elif kind == _NUMBER:
            yield Place(path, *found.span(), number=True)


def _name(content: bytes) -> str:
    return _NAME.decode(b'"' + content + b'"') if b"\\" in content else content.decode("utf-8", "replace")
