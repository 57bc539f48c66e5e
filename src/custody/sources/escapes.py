r"""Unicode escapes made plain, at every level of JSON-in-a-string, with the way back to the original bytes.

A key can be written ``"session\u0054oken"``, and inside a string that itself holds JSON ``\"session\\u0054oken\"``.
``plain`` rewrites each such escape to its shortest spelling at the same level, so that the result is an equivalent
document in which keys are spelt out, and ``Plain.original`` maps a position in it back.
"""

import re
from bisect import bisect_right
from typing import NamedTuple

_ESCAPE = re.compile(rb"(?<!\\)(\\+)u([0-9a-fA-F]{4})")
_SHORT = {0x08: b"b", 0x09: b"t", 0x0A: b"n", 0x0C: b"f", 0x0D: b"r"}
LEVELS = 6
"""JSON in a string in a string …: escapes deeper than this are not looked into."""


class Steps(NamedTuple):
    """One rewriting: the run that begins at ``starts[i]`` came from ``origins[i]``."""

    starts: list[int]
    origins: list[int]

    def back(self, position: int) -> int:
        """Where ``position`` was before this rewriting."""
        run = bisect_right(self.starts, position) - 1
        return self.origins[run] + position - self.starts[run]


class Plain(NamedTuple):
    """An equivalent document without Unicode escapes, and the rewritings that led to it."""

    text: bytes
    steps: tuple[Steps, ...] = ()

    def original(self, position: int) -> int:
        """Where the byte at ``position`` of ``text`` begins in the original."""
        for step in reversed(self.steps):
            position = step.back(position)
        return position


def plain(raw: bytes) -> Plain:
    """``raw`` with its Unicode escapes made plain, level by level, outermost first."""
    text, steps = raw, []
    for level in range(LEVELS):
        if b"\\u" not in text:
            break
        text, step = _rewritten(text, level)
        steps.append(step)
    return Plain(text, tuple(steps))


def _rewritten(text: bytes, level: int) -> tuple[bytes, Steps]:
    pieces: list[bytes] = []
    steps = Steps([0], [0])
    done = length = 0
    for found in _ESCAPE.finditer(text):
        if trailing_zeros(len(found.group(1))) != level:
            continue
        begin = found.end(1) - (1 << level)
        short = _spelling(int(found.group(2), 16), level)
        pieces += (text[done:begin], short)
        length += begin - done
        steps.starts.extend((length, length + len(short)))
        steps.origins.extend((begin, found.end()))
        done, length = found.end(), length + len(short)
    pieces.append(text[done:])
    return b"".join(pieces), steps


def trailing_zeros(number: int) -> int:
    """How many times ``number`` (over 0) can be halved: the level at which a run of that many backslashes escapes."""
    return (number & -number).bit_length() - 1


def _spelling(code: int, level: int) -> bytes:
    if code in (0x22, 0x5C):
        return b"\\" * ((2 << level) - 1) + bytes((code,))
    if code in _SHORT:
        return b"\\" * (1 << level) + _SHORT[code]
    return bytes((code,)) if 0x20 <= code < 0x7F else b"?"
