r"""Where the secrets of a JSON record are, in its bytes, at any depth of objects and of JSON in strings.

Every ``"`` of a JSON document belongs to a level: 0 delimits the document's own strings, 1 those of JSON inside such
a string, and so on. The level is the number of trailing one bits in the length of the run of backslashes before it
(0, 2, 4 … → 0; 1, 5, 9 … → 1; 3, 11 … → 2), because each level doubles a backslash and adds one before a quote. So one
pass over the bytes sees the keys of all levels, without decoding any. Unicode escapes are made plain first.

A value that is no string is masked as far as it holds strings. Where a secret stands outside all strings, the string
around it is masked; where there is none, the record is ``unsure`` and its payload must be withheld.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from custody.model.records import SecretSpan
from custody.sources import secret_names as names
from custody.sources.escapes import plain, trailing_zeros

_COLON = re.compile(rf"{names.SPACE}:{names.SPACE}".encode())
_NAME_KEY = re.compile(rf'[{{,]{names.SPACE}\\*{names.PAIR_NAME}{names.SPACE}:{names.SPACE}\\*"$'.encode())
_VALUE_AFTER = re.compile(rf"[^{{}}]{{0,256}}?{names.PAIR_VALUE}{names.SPACE}:{names.SPACE}".encode())
_VALUE_BEFORE = re.compile(rf"{names.PAIR_VALUE}{names.SPACE}:{names.SPACE}".encode())
_MARK = re.compile(rb'(?<!\\)(\\*)"|[\[\]{}0-9-]')
_BLANK = re.compile(names.SPACE.encode())
_LITERAL = re.compile(rb"true|false|null")
_SHAPES = (
    (b"IQoJb3JpZ2lu", False, "token", re.compile(rb"(IQoJb3JpZ2lu(?:[A-Za-z0-9+/=_%-]|\\+/)+)")),
    (b"GZXIvYXdz", False, "token", re.compile(rb"(F[Qw]oGZXIvYXdz(?:[A-Za-z0-9+/=_%-]|\\+/)+)")),
    (b"PRIVATE KEY-----", False, "key", re.compile(rb"PRIVATE KEY-----((?:[A-Za-z0-9+/=:, \t\r\n-]|\\+[nrt/])+)")),
    (b"x-amz-s", True, "signature", re.compile(rb"(?i:x-amz-s(?:ecurity-token|ignature)(?:=|%3d))([^&\"\\\s]+)")),
)
_ESCAPED = (b"\\u", False)
_PAIR_REACH = 4096
_QUOTE, _BACKSLASH = b'"\\'

Extent = tuple[int, int]


class Found(NamedTuple):
    """The spans, in order and apart; ``unsure`` where a secret lies outside all strings, so that no span covers it."""

    spans: tuple[SecretSpan, ...]
    unsure: bool


NOTHING = Found((), unsure=False)


class Value(NamedTuple):
    """A JSON value: where it ends, and the contents of its strings."""

    end: int
    strings: list[Extent]


class Spot(NamedTuple):
    """A span of the text with its class; ``end`` is -1 where no span can cover the secret."""

    start: int
    end: int
    kind: str


def find(raw: bytes, *, broad: bool = False) -> Found:
    """The secrets in ``raw``, one valid JSON value.

    A record that is itself a JSON string (JSON in a string) is looked at from level 1 on. ``broad`` takes every key
    that merely holds a telling word, for records whose meaning is not known.
    """
    if not broad and names.SUSPECTS.passed(raw):
        return NOTHING
    document = plain(raw)
    text = document.text
    base = 1 if text[:1] == b'"' else 0
    low = text.lower()
    spots = [*_named(text, low, base, names.BROAD if broad else names.EXACT), *_shaped(text, low)]
    placed = [Spot(document.original(a), document.original(b), kind) for a, b, kind in spots if b >= 0]
    return Found(tuple(_apart(sorted(placed))), unsure=len(placed) < len(spots))


def suspects(raws: Sequence[bytes]) -> list[bool]:
    """Which of a few records ``find`` must look at, by plain searches over all of them together."""
    together = b"\n".join(raws)
    low = together.lower()
    if any(needle in (low if any_case else together) for needle, any_case, *_ in (*_SHAPES, _ESCAPED)):
        return [True] * len(raws)
    ends = list(accumulate([len(raw) + 1 for raw in raws]))
    suspect = [False] * len(raws)
    for found in _exact(low):
        if not names.is_harmless(low, found):
            suspect[bisect_right(ends, found.start())] = True
    return suspect


def _apart(spots: Iterable[Spot]) -> Iterator[SecretSpan]:
    last: Spot | None = None
    for spot in spots:
        if last is not None and spot.start < last.end:
            last = last._replace(end=max(last.end, spot.end))
            continue
        if last is not None:
            yield SecretSpan(*last)
        last = spot
    if last is not None:
        yield SecretSpan(*last)


def _shaped(text: bytes, low: bytes) -> Iterator[Spot]:
    for needle, any_case, kind, pattern in _SHAPES:
        if needle in (low if any_case else text):
            for found in pattern.finditer(text):
                yield Spot(*found.span(1), kind)


def _named(text: bytes, low: bytes, base: int, pattern: re.Pattern[bytes]) -> Iterator[Spot]:
    """The secrets that a name gives away. What a value covers is not looked into again: the whole is linear."""
    covered = 0
    for found in _exact(low) if pattern is names.EXACT else pattern.finditer(low):
        if found.start() < covered or (pattern is names.EXACT and names.is_harmless(low, found)):
            continue
        value = _belonging(text, low, found, base)
        if value is None:
            yield Spot(found.start(), -1, names.kind_of(found.group(1)))
            return
        covered = max(covered, value.end)
        for start, end in value.strings:
            if text[start:end] not in (b"", names.HIDDEN):
                yield Spot(start, end, names.kind_of(found.group(1)))


def _exact(low: bytes) -> Iterator[re.Match[bytes]]:
    """What ``names.EXACT.finditer(low)`` gives, by plain searches for the words that a match can begin with."""
    starts: list[int] = []
    for word in names.EXACT_STARTS:
        at = low.find(word)
        while at >= 0:
            starts.append(at)
            at = low.find(word, at + 1)
    end = 0
    for start in sorted(starts):
        found = names.EXACT.match(low, start) if start >= end else None
        if found is not None:
            end = found.end()
            yield found


def _belonging(text: bytes, low: bytes, found: re.Match[bytes], base: int) -> Value | None:
    """What belongs to the string whose end was ``found``: its value as a key, or its pair's as a name.

    None where that is a number outside all strings. A number beside a name is let be: such
    pairs hold text where they hold secrets, and a name is free for any client to choose.
    """
    level = _level(found.group(2))
    colon = _COLON.match(text, found.end())
    if colon is None:
        return _paired(text, low, found.start(2), level) or Value(found.end(), [])
    value = _value(text, colon.end(), level)
    if value is not None or level <= base:
        return value
    return _around(text, found.start(), base)


def _value(text: bytes, at: int, level: int) -> Value | None:
    """The value at ``at``; None where it is or holds something else than strings and literals."""
    quote = b"\\" * ((1 << level) - 1) + b'"'
    if text.startswith(quote, at):
        start = at + len(quote)
        end = _close(text, start, level)
        return None if end < 0 else Value(end, [(start, end)])
    if text[at : at + 1] in (b"{", b"["):
        return _inside(text, at, level)
    return Value(at, []) if _LITERAL.match(text, at) else None


def _inside(text: bytes, at: int, level: int) -> Value | None:
    """Every string but keys in the object or array at ``at``; None where it holds numbers or does not close."""
    strings: list[Extent] = []
    depth = 0
    opened = -1
    for mark in _MARK.finditer(text, at):
        symbol = text[mark.end() - 1]
        if symbol == _QUOTE:
            quoted = _level(mark.group(1))
            if quoted < level or (opened < 0 and quoted > level):
                return None
            if quoted == level and opened < 0:
                opened = mark.end()
            elif quoted == level:
                if not _COLON.match(text, mark.end()):
                    strings.append((opened, mark.end() - (1 << level)))
                opened = -1
        elif opened < 0:
            if symbol not in b"[]{}":
                return None
            depth += 1 if symbol in b"[{" else -1
            if depth == 0:
                return Value(mark.end(), strings)
    return None


def _close(text: bytes, start: int, level: int) -> int:
    """Where the content of the string of ``level`` ends that begins at ``start``; -1 where it does not end."""
    before, at = start, text.find(b'"', start)
    while at >= 0:
        found = trailing_zeros(_run(text, before, at) + 1)
        if found <= level:
            return at + 1 - (1 << level) if found == level else -1
        before, at = at + 1, text.find(b'"', at + 1)
    return -1


def _run(text: bytes, start: int, end: int) -> int:
    """How many backslashes stand before ``end``, counted back to ``start`` at most."""
    part = text[start:end]
    return len(part) - len(part.rstrip(b"\\"))


def _around(text: bytes, at: int, base: int) -> Value | None:
    """The content of the string of level ``base`` that ``at`` is in, None where there is none."""
    position = at
    while (position := text.rfind(b'"', 0, position)) >= 0:
        run = position - 1
        while run >= 0 and text[run] == _BACKSLASH:
            run -= 1
        if trailing_zeros(position - run) == base:
            end = _close(text, position + 1, base)
            return None if end < 0 else Value(end, [(position + 1, end)])
    return None


def _paired(text: bytes, low: bytes, end: int, level: int) -> Value | None:
    """The value that goes with a string ending at ``end`` if that is a name: ``name`` and ``value`` in one object."""
    opened = text.rfind(b'"', max(0, end - 256), end)
    head = low[max(0, opened - 96) : opened + 1]
    key = _NAME_KEY.search(head)
    if opened < 0 or key is None:
        return None
    after = _VALUE_AFTER.match(low, end + (1 << level))
    if after is not None:
        return _value(text, after.end(), level)
    return _value_before(text, low, opened + 1 - len(head) + key.start(), level)


def _value_before(text: bytes, low: bytes, comma: int, level: int) -> Value | None:
    """The value of the member that ends at ``comma``, if that member is called value."""
    position = low.rfind(b"value", max(0, comma - _PAIR_REACH), comma)
    key = _VALUE_BEFORE.match(low, low.rfind(b'"', 0, position + 1)) if position > 0 else None
    value = _value(text, key.end(), level) if key is not None else None
    if value is None or not value.strings or value.end > comma:
        return None
    rest = text[value.end : comma].lstrip(b'\\"]')
    return value if _BLANK.fullmatch(rest) else None


def _level(backslashes: bytes) -> int:
    return trailing_zeros(len(backslashes) + 1)
