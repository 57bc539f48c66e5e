r"""Where the secrets of an OTLP batch are. Frozen with the scheme ``masked-bytes/1``.

Beyond what any JSON record is searched for, an attribute is a pair ``{"key": NAME, "value": {"stringValue": TEXT}}``,
in either order and with the text any number of bytes away from its name. Where every pair of a batch stands as
exporters write it, values are found behind their names; else the structure is walked with a stack, which is slower.
Both are linear, and nothing looks back. Masked are: whatever users and models wrote (prompts, tool arguments and
results: class ``content``), headers, query parameters and environment variables, and what is shaped like a token in
any text.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from custody.model.records import SecretSpan
from custody.sources import pasted_secrets, secret_names, secret_spans
from custody.sources.escapes import plain
from custody.sources.otel_otlp import telling
from custody.sources.screen import Screen

_TOKEN = re.compile(rb'"((?:[^"\\]++|\\.)*+)"([ \t\r\n]*+:)?|[{}\[\]]', re.DOTALL)
_QUOTE = ord('"')
_MASKED = re.compile(rb"custody-masked:([a-z]+)")

_PAIR = re.compile(rb'\{[ \t\r\n]*+"key"[ \t\r\n]*+:[ \t\r\n]*+"([^"\\]*+)"[ \t\r\n]*+,[ \t\r\n]*+"value"[ \t\r\n]*+:')

SCREEN = Screen(
    "|".join((telling.SCREEN.pattern.decode(), *(f"(?i:{sign.decode()})" for sign in telling.SIGNS), r"\\u")),
    least=8 * 1024,
)
"""Stops every batch in which ``own`` finds something."""

PASTED = Screen(secret_names.PASTED, least=8 * 1024)
"""Stops every batch with a secret that was pasted into text."""

Spot = tuple[int, int, str]
Extent = tuple[int, int]


class Found(NamedTuple):
    """The spans, in order and apart; ``unsure`` where a secret lies where no span can cover it."""

    spans: tuple[SecretSpan, ...]
    unsure: bool


class _Level:
    """One object or array that is open: the pair that it may be, and the log record."""

    __slots__ = ("body", "body_end", "chat", "first", "last", "member", "name")

    def __init__(self) -> None:
        self.member = self.name = b""
        self.first = self.last = self.body = self.body_end = -1
        self.chat = False

    def leave(self, strings: int) -> None:
        """The member ends where ``strings`` strings have been seen."""
        if self.member == b"value":
            self.last = strings
        elif self.member == b"body":
            self.body_end = strings

    def enter(self, member: bytes, strings: int) -> None:
        """Another member begins."""
        self.leave(strings)
        self.member = member
        if member == b"value" and self.first < 0:
            self.first = strings
        elif member == b"body" and self.body < 0:
            self.body = strings

    def named(self, name: bytes) -> None:
        """The pair has a name; of two, the one that gives its value away counts."""
        if not self.name or telling.kind_of(self.name) is None:
            self.name = name


def glance(raws: Sequence[bytes]) -> None:
    """Sieve many batches at once, so that ``find`` need not search most of them."""
    secret_names.SUSPECTS.look(raws)
    SCREEN.look(raws)
    PASTED.look(raws)


def find(raw: bytes) -> Found:
    """The secrets in ``raw``, one valid JSON value."""
    spans, unsure = pasted_secrets.settled(raw, _once)
    return Found(spans, unsure)


def _once(raw: bytes) -> secret_spans.Found:
    named = _named(raw)
    spans = named.spans if PASTED.passed(raw) else pasted_secrets.joined(raw, named.spans)
    return secret_spans.Found(spans, named.unsure)


def _named(raw: bytes) -> Found:
    known = secret_spans.find(raw)
    spots: list[Spot] = [(span.start, span.end, span.secret) for span in known.spans]
    if SCREEN.passed(raw):
        return Found(tuple(_apart(raw, spots)), known.unsure)
    document = plain(raw)
    for start, end, kind in own(document.text):
        spots.append((document.original(start), document.original(end), kind))
    return Found(tuple(_apart(raw, sorted(spots))), known.unsure)


def own(text: bytes) -> Iterator[Spot]:
    """What only OTLP has, in a text without Unicode escapes: telling attributes, and the shapes of tokens."""
    low = text.lower()
    if any(sign in low for sign in telling.SIGNS):
        for found in telling.SHAPES.finditer(text):
            yield (*found.span(found.lastindex or 0), "token")
    if telling.SCREEN.search(text) is None:
        return
    pairs = list(_PAIR.finditer(text))
    regular = len(pairs) == text.count(b'"key"') == text.count(b'"value"')
    if regular and not (b'"body"' in text and b"ai." in text):
        yield from _behind(text, pairs)
        return
    strings: list[Extent] = []
    for first, last, kind in _telling(text, strings):
        for start, end in strings[first:last]:
            yield from _inside(text, start, end, kind)


def _behind(text: bytes, pairs: list[re.Match[bytes]]) -> Iterator[Spot]:
    """What must go, where each name stands just before its value. Pairs in a value that goes are not looked at.

    An address that is no plain text goes whole.
    """
    covered = 0
    for pair in pairs:
        kind = telling.kind_of(pair.group(1)) if pair.start() >= covered else None
        if kind is None:
            continue
        depth = 0
        for found in _TOKEN.finditer(text, pair.end()):
            symbol = text[found.start()]
            if kind == telling.ADDRESS and depth and symbol in b"{[":
                kind = telling.CONTENT
            if symbol == _QUOTE and found.group(2) is None:
                yield from _inside(text, *found.span(1), kind)
            depth += (symbol in b"{[") - (symbol in b"}]")
            if depth <= 0:
                covered = found.end()
                break


def _inside(text: bytes, start: int, end: int, kind: str) -> Iterator[Spot]:
    """What of a string is masked: all of it, and of an address its password and telling parameters."""
    if kind != telling.ADDRESS:
        if end > start:
            yield start, end, kind
        return
    for found in telling.IN_ADDRESS.finditer(text, start, end):
        yield (*found.span(found.lastindex or 0), "signature")


def _telling(text: bytes, strings: list[Extent]) -> list[tuple[int, int, str]]:
    """The values that must go, as ranges of ``strings``, which it fills with all strings but names, in order."""
    ranges: list[tuple[int, int, str]] = []
    levels = [_Level()]
    for found in _TOKEN.finditer(text):
        symbol = text[found.start()]
        top = levels[-1]
        if symbol == _QUOTE:
            _string(top, found, strings)
        elif symbol in b"{[":
            levels.append(_Level())
        elif len(levels) > 1:
            top.leave(len(strings))
            levels.pop()
            _closed(text, top, levels, strings, ranges)
    return _merged(ranges)


def _string(top: _Level, found: re.Match[bytes], strings: list[Extent]) -> None:
    if found.group(2) is not None:
        top.enter(found.group(1), len(strings))
        return
    strings.append(found.span(1))
    if top.member == b"key":
        top.named(found.group(1))
    elif top.member == b"eventName":
        top.chat = top.chat or telling.is_chat(found.group(1))


def _closed(
    text: bytes, done: _Level, levels: list[_Level], strings: list[Extent], ranges: list[tuple[int, int, str]]
) -> None:
    """An object or array ended: the pair or log record that it was."""
    if done.chat and done.body >= 0:
        ranges.append((done.body, done.body_end, telling.CONTENT))
    if not done.name or done.first < 0:
        return
    kind = telling.kind_of(done.name)
    if kind is not None:
        ranges.append((done.first, done.last, kind))
    elif done.name == b"event.name" and len(levels) > 1:
        said = (text[start:end] for start, end in strings[done.first : done.first + 1])
        levels[-2].chat = levels[-2].chat or any(telling.is_chat(name) for name in said)


def _merged(ranges: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Ranges that overlap as one, of the outermost kind: pairs can stand in pairs."""
    merged: list[tuple[int, int, str]] = []
    for first, last, kind in sorted(ranges, key=lambda one: (one[0], -one[1])):
        if merged and first < merged[-1][1] and merged[-1][2] != telling.ADDRESS:
            continue
        merged.append((first, last, kind))
    return merged


def _apart(raw: bytes, spots: list[Spot]) -> Iterator[SecretSpan]:
    """``spots``, which are sorted, joined where they overlap. What is masked already keeps its class."""
    at = 0
    while at < len(spots):
        start, end, kind = spots[at]
        while (at := at + 1) < len(spots) and spots[at][0] < end:
            end = max(end, spots[at][1])
        masked = _MASKED.fullmatch(raw, start, end)
        yield SecretSpan(start, end, masked[1].decode() if masked else kind)


def is_telling(name: str) -> bool:
    """Whether the value of an attribute called ``name`` is masked, as a whole or in part."""
    return telling.kind_of(name.encode()) is not None or secret_names.is_secret_name(name)
