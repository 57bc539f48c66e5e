"""Text from logs made fit to be shown: nothing hidden, nothing that steers a terminal, nothing that reorders a line.

Whoever can call an API writes part of what a report shows: session names, user agents, resource names.
"""

import re
import unicodedata
from typing import TypeVar

import msgspec

INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Characters that count as printable and show nothing: joiners, fillers, variation selectors, blank braille."""

MAX_MARKS = 2
"""Combining marks that one letter may carry; a pile of them covers the lines around it."""

StructT = TypeVar("StructT", bound=msgspec.Struct)
Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]


def plain(text: str) -> str:
    r"""``text`` with everything that is not visibly itself written as an escape: ``\x1b``, ``\u202e``, ``\U000e0041``.

    That is: controls (C0, C1), format characters (bidirectional overrides, zero width), lone surrogates, private use,
    unassigned, every separator but the space, invisible fillers, and combining marks beyond the second. Backslashes
    stay as they are. Applying it twice changes nothing.
    """
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        hidden = not character.isprintable() or INVISIBLE.match(character) or marks > MAX_MARKS
        shown.append(escape(character) if hidden else character)
    return "".join(shown)


def escape(character: str) -> str:
    """One character as a backslash escape, as Python and C write it."""
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def cleaned(value: StructT) -> StructT:
    """A copy of ``value`` in which every text, at any depth, went through ``plain``."""
    return msgspec.convert(_walk(msgspec.to_builtins(value)), type(value))


def _walk(value: Plain) -> Plain:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {plain(name): _walk(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_walk(item) for item in value]
    return value


def width(text: str) -> int:
    """How many terminal columns ``text`` takes: two for wide East Asian characters, none for combining marks."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def shortened(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` columns (at least 3): what does not fit is left out of the middle, as ``…``."""
    if width(text) <= limit:
        return text
    head = _fitting(text, (limit - 1) // 2)
    tail = _fitting(text[::-1], limit - 1 - width(head))[::-1]
    return f"{head}…{tail}"


def _fitting(text: str, limit: int) -> str:
    """The longest beginning of ``text`` that takes at most ``limit`` columns."""
    used = 0
    for position, character in enumerate(text):
        used += _columns(character)
        if used > limit:
            return text[:position]
    return text


MARKED = re.compile(r"[\\`*\[\]<>&|~$!]|(?<![^\W_])_|_(?![^\W_])")
"""What stands for something in Markdown, wherever it is; an underscore within a word does not."""
LEADING = re.compile(r"^([#+=:-]|\d+[.)])")
"""What stands for something at the beginning of a line."""


def markdown(text: str) -> str:
    r"""``text`` on one line for a place that is read as Markdown: no link, picture, tag or heading comes of it.

    Addresses lose what makes some readers link them: ``https:\//host``.
    """
    escaped = MARKED.sub(lambda found: "\\" + found.group(), plain(text).strip())
    escaped = escaped.replace("://", ":\\/\\/").replace("www.", "www\\.").replace("@", "\\@")
    return LEADING.sub(lambda found: found.group()[:-1] + "\\" + found.group()[-1], escaped)


FORMULA = re.compile(r"(^|[;,|\t\"'])([\s\u00a0]*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Where a spreadsheet could see a formula begin: at the start, or after what may end a cell with some settings."""


def csv_cell(text: str) -> str:
    """``text`` as one quoted cell that no spreadsheet takes for a formula, with everything hidden in it made visible.

    An apostrophe stands before what could begin a formula, as the OWASP advice on CSV injection has it; quotes are
    doubled (RFC 4180).
    """
    return '"' + FORMULA.sub(r"\1\2'", plain(text)).replace('"', '""') + '"'
