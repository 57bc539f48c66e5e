"""Text with the way back to the bytes that it was written as, through JSON escapes and doubled quotes.

A secret is found in the text as the server meant it and masked in the bytes as they stand, so every character knows
where its spelling begins.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})(?:\\u([dD][c-fC-F][0-9a-fA-F]{2}))?|(.))", re.DOTALL)
_SHORT = {b"b": "\b", b"f": "\f", b"n": "\n", b"r": "\r", b"t": "\t"}


class Mapped(NamedTuple):
    """``text``, and for each of its characters, and for its end, the offset ``at`` which it is spelt."""

    text: str
    at: Sequence[int]

    def part(self, start: int, end: int) -> "Mapped":
        """The characters from ``start`` to ``end``."""
        return Mapped(self.text[start:end], self.at[start : end + 1])

    def inside(self, outer: "Mapped") -> "Mapped":
        """The same text, whose offsets are positions in ``outer``, with the offsets of ``outer``."""
        return Mapped(self.text, [outer.at[place] for place in self.at])


def of_utf8(raw: bytes, start: int, end: int) -> Mapped:
    """``raw[start:end]`` as UTF-8. Raises UnicodeDecodeError."""
    text = raw[start:end].decode()
    if len(text) == end - start:
        return Mapped(text, range(start, end + 1))
    at = [start]
    for character in text:
        at.append(at[-1] + len(character.encode()))
    return Mapped(text, at)


def of_json(raw: bytes, start: int, end: int) -> Mapped:
    """The content ``raw[start:end]`` of a JSON string, its escapes undone. Raises UnicodeDecodeError."""
    if b"\\" not in raw[start:end]:
        return of_utf8(raw, start, end)
    text: list[str] = []
    at: list[int] = []
    done = start
    for found in _ESCAPE.finditer(raw, start, end):
        before = of_utf8(raw, done, found.start())
        text += (before.text, _character(found))
        at += (*before.at[:-1], found.start())
        done = _end(found)
    rest = of_utf8(raw, done, end)
    return Mapped("".join(text) + rest.text, [*at, *rest.at])


def doubled(text: str, start: int, end: int) -> Mapped:
    """``text[start:end]``, the content of a quoted CSV field, with its doubled quotes made single."""
    pieces = text[start:end].split('""')
    at: list[int] = []
    place = start
    for piece in pieces:
        at += range(place, place + len(piece) + 1)
        place += len(piece) + 2
    return Mapped('"'.join(pieces), at)


def doubled_bytes(raw: bytes, start: int, end: int) -> Mapped:
    """The same on UTF-8. Raises UnicodeDecodeError."""
    outer = of_utf8(raw, start, end)
    return outer if '""' not in outer.text else doubled(outer.text, 0, len(outer.text)).inside(outer)


def _character(found: re.Match[bytes]) -> str:
    if found[3] is not None:
        return _SHORT.get(found[3]) or found[3].decode("utf-8", "replace")
    code = int(found[1], 16)
    if found[2] is not None and 0xD800 <= code < 0xDC00:
        return chr(0x10000 + ((code - 0xD800) << 10) + int(found[2], 16) - 0xDC00)
    return chr(code)


def _end(found: re.Match[bytes]) -> int:
    """Behind the escape: a low half that no high half stands before is an escape of its own."""
    high = found[1] is not None and 0xD800 <= int(found[1], 16) < 0xDC00
    return found.start() + 6 if found[2] is not None and not high else found.end()
