"""The free texts of a Jira record, in its bytes: what people wrote is masked whole, whatever it holds.

Free text is every string of a description, an environment or a comment's body, also as a document of Atlassian's
editor, what a changelog says such a field was and became, and any string of several lines (text areas have numbers
for names). Frozen with the identity scheme.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from custody.model.records import SecretSpan

CLASS = "text"
_TOKEN = re.compile(rb'"((?:[^"\\]++|\\.)*+)"|[\[\]{},:]', re.DOTALL)
_STRING = msgspec.json.Decoder(str)
_WHOLE = frozenset(("description", "environment", "body", "renderedBody"))
"""Members whose every string is free text, at any depth."""
_DIRECT = _WHOLE | {"comment", "text", "worklogComment"}
"""Members that are free text where they are strings."""
_FIELDS = frozenset(("description", "environment", "comment", "body", "worklog"))
_CHANGED = frozenset(("from", "to", "fromString", "toString"))
_LINE_ENDS = (b"\\n", b"\\r", b"\\u000a", b"\\u000d", b"\\u000A", b"\\u000D")


class Text(NamedTuple):
    """A string that is a value: the member it is in, which object has that member, and its content's place."""

    name: str
    holder: int
    free: bool
    start: int
    end: int


class _Open(NamedTuple):
    """A container that is not closed yet; an array lends its elements its own name and holder."""

    name: str
    holder: int
    free: bool


def find(raw: bytes) -> tuple[SecretSpan, ...]:
    """The contents of the free texts in ``raw``, one valid JSON value."""
    found: list[Text] = []
    changed: dict[int, list[Text]] = defaultdict(list)
    told: set[int] = set()
    for text in strings(raw):
        content = raw[text.start : text.end]
        if text.free or text.name in _DIRECT or any(mark in content for mark in _LINE_ENDS):
            found.append(text)
        elif text.name in _CHANGED:
            changed[text.holder].append(text)
        elif text.name in ("field", "fieldId") and content.decode("utf-8", "replace").lower() in _FIELDS:
            told.add(text.holder)
    found += [text for holder in told for text in changed[holder]]
    return tuple(SecretSpan(text.start, text.end, CLASS) for text in sorted(found, key=_start) if text.end > text.start)


def _start(text: Text) -> int:
    return text.start


def strings(raw: bytes) -> Iterator[Text]:
    """Every string of a JSON value that is not a member's name, in order. Raises nothing for what is no JSON."""
    here = _Open("", 0, free=False)
    outer: list[_Open] = []
    held: tuple[int, int] | None = None
    objects = 0
    for token in _TOKEN.finditer(raw):
        symbol = token[0]
        if symbol[:1] == b'"':
            held = token.span(1)
        elif symbol == b":":
            here = here._replace(name=_plain(raw, held))
            held = None
        else:
            if held is not None:
                yield Text(here.name, here.holder, here.free, *held)
                held = None
            if symbol in b"[{":
                outer.append(here)
                objects += symbol == b"{"
                holder = objects if symbol == b"{" else here.holder
                here = _Open(here.name, holder, here.free or here.name in _WHOLE)
            elif symbol in b"]}" and outer:
                here = outer.pop()
    if held is not None:
        yield Text(here.name, here.holder, here.free, *held)


def _plain(raw: bytes, place: tuple[int, int] | None) -> str:
    """A member's name, its escapes made plain; empty where it is none."""
    if place is None:
        return ""
    content = raw[place[0] : place[1]]
    if b"\\" not in content:
        return content.decode("utf-8", "replace")
    try:
        return _STRING.decode(b'"' + content + b'"')
    except (msgspec.MsgspecError, UnicodeError):
        return ""
