r"""Secrets that people paste into free text, found by their shape, for logs in which anything may stand.

``secret_spans`` finds what a member's name gives away. Approvals, tickets and access requests also hold sentences, and
sentences hold tokens, ``password=…``, addresses with a password in them. What has no shape is not found.

Frozen with the identity schemes that use it. Every repetition is bounded or cannot begin again within itself, so that
hostile input costs time in proportion to its length.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import pairwise
from typing import TypeVar

import msgspec

from custody.model.events import Event, Skip
from custody.model.records import Identity, SecretSpan
from custody.sources import identities, secret_names, secret_spans
from custody.sources.decoding import told
from custody.sources.escapes import plain, trailing_zeros
from custody.sources.masking import PREFIX, mask
from custody.sources.secret_spans import Found

T = TypeVar("T")
CLASS = "pasted"
"""The class of their masks. No name ends in this word, so that a mask in a name makes its value no secret."""
Search = Callable[[bytes], Found]
"""Where the secrets of a record are."""
Texts = Callable[[bytes], Iterable[SecretSpan]]
"""The strings of a record whose contents are masked whatever they hold."""
_ROUNDS = 4
_MASK = re.compile(rb"custody-masked:[a-z]+")
_QUOTE = re.compile(rb'(?<!\\)(\\+)"')

_BEGIN = rb"(?:(?<![a-z0-9_-])|(?<=\\[nrtbf]))"
_NAMES = rb"passwords?|passwd|passphrase|pwd|secret|(?:api|access|secret|private)[_ -]?key"
_REST = rb"(?<=p)(?:asswords?|asswd|assphrase|wd|rivate[_ -]?key)|(?<=s)ecret(?:[_ -]?key)?|(?<=a)(?:pi|ccess)[_ -]?key"
"""What follows the first letter of ``_NAMES``."""
_TOKEN = rb"(?:(?<![a-z0-9_-]t)|(?<=\\[nrtbf]t))oken"
_ASSIGNED = (
    rb"[apst](?<!custody-masked:[apst])(?:(?:%s|(?<=t)oken) {0,4}(?:=|%%3d)|(?:%s|%s) {0,4}:) {0,4}([^\s\"\\,;&<>]{4,})"
) % (_REST, _REST, _TOKEN)
"""A name and its value. ``vault_token:…`` is a typed key, ``access_token=…`` a secret, and a mask is no name.

It begins with a set of letters, which the engine looks for many times faster than for a look-behind.
"""
_FLAG = rb"--?[a-z0-9_.-]{0,64}?(?:%s|token)" % _NAMES
_VALUE = rb"((?!--|custody-masked:)[^\s\"\\,;&<>]{4,})"
_FLAGGED = rb"(?:(?<![a-z0-9_-])|(?<=%%20))(?=--)%s(?: {1,4}|%%20|\+|&command=)%s" % (_FLAG, _VALUE)
"""``--password VALUE`` in a command line, or in the query of a call that runs one in a pod."""
_LISTED = rb"(?<!\\)\"%s\"\s*+(?:,|\}\s*+,\s*+\{\s*+\"stringvalue\"\s*+:)\s*+\"((?!--)(?:[^\"\\]|\\.)++)\"" % _FLAG
"""Two strings of an array of arguments, in plain JSON or as OTLP writes it."""
_SPACE = rb"(?:[ \t]|\\[nrt])*+"
_LISTED_WITHIN = rb"(?<!\\)\\\"%s\\\"%s,%s\\\"((?!--)(?:[^\"\\]|\\\\(?:\\[\"\\]|[^\"\\])|\\[/bfnrt])++)\\\"" % (
    _FLAG,
    _SPACE,
    _SPACE,
)
"""The same in JSON that stands in a string."""
_PARAMETER = (
    rb"(?:[?&]|%3f|%26)(?:sig|signature|code|auth|jwt|session(?:_?id)?|credentials?)(?:=|%3d)"
    rb"((?!custody-masked:)[^\s\"\\&#<>]{4,})"
)
_CAPITALS = re.compile(rb"(?<=[A-Z0-9_])KEY(?:=|%3[Dd])((?!custody-masked:)[^\s\"\\,;&<>]{4,})")
"""A variable: only its capitals tell ``STRIPE_KEY=…`` from any key of a table."""
_BARE = re.compile(r"(?<![A-Za-z0-9/+_-])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=_-])")
"""As long as a secret access key of AWS, which has no other mark. Records hold names and digests that are as long, so
that it is looked for in what people type alone."""
_CHANGES = 12
"""Changes between kinds of characters: 25 of 39 are usual where each is drawn at random, sentences have few."""
_SHAPES = (
    ((b"eyj",), re.compile(_BEGIN + rb"(eyj[a-z0-9_-]{8,}\.[a-z0-9_-]{8,}\.[a-z0-9_-]*)")),
    ((b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"), re.compile(rb"(gh[opsru]_[a-z0-9]{20,})")),
    ((b"github_pat_",), re.compile(rb"(github_pat_[a-z0-9_]{20,})")),
    ((b"glpat-",), re.compile(rb"(glpat-[a-z0-9_-]{16,})")),
    ((b"xox",), re.compile(rb"(xox[abeoprs]-[a-z0-9-]{10,})")),
    ((b"hvs.", b"hvb.", b"hvr."), re.compile(rb"(hv[sbr]\.[a-z0-9_-]{20,})")),
    ((b"bearer ", b"basic "), re.compile(rb"(?:bearer|basic) {1,4}([a-z0-9._~+/=-]{16,})")),
    ((b"://",), re.compile(rb"://(?!custody-masked:)[^/\s:@\"\\]{0,128}(?<!custody-masked):([^/\s@\"\\]{1,256})@")),
    (
        (b"%3a%2f%2f",),
        re.compile(rb"%3a%2f%2f[^\s\"\\&%]{0,128}%3a((?!custody-masked:)(?:[^\s\"\\&%]|%(?!40|2f)){1,256})%40"),
    ),
    ((b"--",), re.compile(_FLAGGED)),
    ((b'"-',), re.compile(_LISTED)),
    ((b'\\"-',), re.compile(_LISTED_WITHIN)),
    ((b"sig", b"code", b"auth", b"jwt", b"session", b"credential"), re.compile(_PARAMETER)),
    ((b"passw", b"passphrase", b"pwd", b"secret", b"token", b"key"), re.compile(_ASSIGNED)),
    (
        (b"password ", b"identified "),
        re.compile(rb"(?:password|identified (?:with [^\s'\"\\]{1,64} )?by) {1,4}e?'((?:[^'\"\\]|\\.){1,4096}+)'"),
    ),
)
"""What must occur, and the shape, both over lower-case bytes."""


def find(raw: bytes, *, broad: bool = False, texts: Texts | None = None) -> Found:
    """The secrets in ``raw``, one valid JSON value: named, pasted, and the contents of strings that ``texts`` gives.

    ``broad`` takes every member whose name holds a telling word, as for records that nobody understands. A mask can
    make its surroundings look like a secret; such are taken too, so that a masked record has nothing left to mask.
    """
    return settled(raw, lambda each: _once(each, broad, texts))


def settled(raw: bytes, search: Search) -> Found:
    """What ``search`` finds in ``raw``, and what it finds again where the masks of that stand."""
    found = search(raw)
    spans = found.spans
    for _ in range(_ROUNDS if spans else 0):
        kept = mask(raw, spans)
        more = search(kept).spans
        if mask(kept, more) == kept:
            break
        spans = tuple(_apart(sorted((*_original(more, spans), *spans), key=_place)))
    return Found(spans, found.unsure)


def joined(raw: bytes, own: Iterable[SecretSpan]) -> tuple[SecretSpan, ...]:
    """The spans that a source found by rules of its own and what is pasted into text, in order and apart.

    What is masked already keeps its class. In a record that is a JSON string no span leaves a string of that JSON.
    """
    pasted = [
        span for span in map(partial(_within, raw), _pasted(raw)) if not _MASK.fullmatch(raw, span.start, span.end)
    ]
    return tuple(_apart(sorted((*own, *pasted), key=_place))) if pasted else tuple(own)


def holds(text: str) -> bool:
    """Whether anything in a text that somebody typed has the shape of a secret, bare keys of AWS among it."""
    return shaped(text) or any(map(_is_random, _BARE.findall(text)))


def shaped(text: str) -> bool:
    """Whether anything in a text has the shape of what is masked in records. It is part of frozen identities."""
    return next(_pasted(text.encode("utf-8", "replace")), None) is not None


def _is_random(word: str) -> bool:
    """Whether a word changes as often between capitals, letters and digits as what nobody made up to be read."""
    kinds = [_kind(character) for character in word]
    changes = sum(before != after for before, after in pairwise(kinds))
    return changes >= _CHANGES and {"capital", "letter", "digit"} <= set(kinds)


def _kind(character: str) -> str:
    if character in "/+":
        return "sign"
    return "digit" if character.isdigit() else "capital" if character.isupper() else "letter"


def _within(raw: bytes, span: SecretSpan) -> SecretSpan:
    if raw[:1] == b'"':
        for quote in _QUOTE.finditer(raw, span.start, span.end):
            if trailing_zeros(len(quote[1]) + 1) == 1:
                return SecretSpan(span.start, quote.end() - 2, span.secret)
    return span


@lru_cache(maxsize=4)
def _once(raw: bytes, broad: bool, texts: Texts | None) -> Found:
    """Remembers the latest searches: a record is searched when it is identified and again when it is read."""
    if not broad and secret_names.SUSPECTS.passed(raw):
        spans = tuple(texts(raw)) if texts else ()
        return Found(tuple(_apart(sorted(spans, key=_place))), unsure=False) if spans else secret_spans.NOTHING
    named = secret_spans.find(raw, broad=broad)
    more = texts(raw) if texts else ()
    return Found(tuple(_apart(sorted((*named.spans, *_pasted(raw), *more), key=_place))), named.unsure)


def _original(found: Iterable[SecretSpan], masked: Sequence[SecretSpan]) -> Iterator[SecretSpan]:
    """Spans of the masked bytes as spans of the original: what touches a mask covers all that it replaced."""
    begins: list[int] = []
    moved = 0
    for old in masked:
        begins.append(old.start + moved)
        moved += len(PREFIX) + len(old.secret) - (old.end - old.start)
    for span in found:
        start = _back(span.start, masked, begins, bisect_right(begins, span.start), first=True)
        end = _back(span.end, masked, begins, bisect_left(begins, span.end), first=False)
        yield SecretSpan(start, end, span.secret)


def _back(at: int, masked: Sequence[SecretSpan], begins: Sequence[int], before: int, *, first: bool) -> int:
    """Where a position of the masked bytes was, with ``before`` masks that begin before it.

    Inside a mask it is the ``first`` of what that replaced, or behind its last.
    """
    if before == 0:
        return at
    old = masked[before - 1]
    over = at - begins[before - 1] - len(PREFIX) - len(old.secret)
    if over < 0:
        return old.start if first else old.end
    return old.end + over


def identified(scheme: str, raw: bytes, name: Callable[[bytes], str | None], search: Search = find) -> Identity | None:
    """The identity that ``name`` takes from the record as it is kept, and its secrets. Raises nothing.

    None where ``name`` gives nothing or does not understand the bytes. The name comes from the kept copy, so that no
    secret gets into the log by the way of an identity.
    """
    try:
        called = name(raw)
        if not called:
            return None
        found = search(raw)
        if found.spans:
            called = name(mask(raw, found.spans)) or ""
        identity = identities.canonical(called)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return Identity(scheme, identity, found.spans, found.unsure) if identity else None


def events_of(
    kept: bytes, decoder: msgspec.json.Decoder[T], make: Callable[[T], tuple[Event, ...]], search: Search = find
) -> tuple[Event, ...] | Skip:
    """What ``make`` gives of the record as it is kept, also where ``kept`` is the original. Raises nothing."""
    return told(lambda: make(_decoded(kept, decoder, search)))


def _decoded(kept: bytes, decoder: msgspec.json.Decoder[T], search: Search) -> T:
    record = decoder.decode(kept)
    spans = search(kept).spans
    return decoder.decode(mask(kept, spans)) if spans else record


def _pasted(raw: bytes) -> Iterator[SecretSpan]:
    document = plain(raw)
    low = document.text.lower()
    for needles, pattern in _SHAPES:
        if _holds(low, needles):
            for found in pattern.finditer(low):
                yield SecretSpan(document.original(found.start(1)), document.original(found.end(1)), CLASS)
    if b"KEY" in document.text:
        for found in _CAPITALS.finditer(document.text):
            yield SecretSpan(document.original(found.start(1)), document.original(found.end(1)), CLASS)


def _holds(low: bytes, needles: tuple[bytes, ...]) -> bool:
    for needle in needles:  # noqa: SIM110 a generator takes twice as long here, and this is asked ten times a record
        if needle in low:
            return True
    return False


def _place(span: SecretSpan) -> tuple[int, int]:
    return span.start, -span.end


def _apart(spans: Sequence[SecretSpan]) -> Iterator[SecretSpan]:
    """The spans without overlaps: of two that meet, one over both with the class of the first."""
    last: SecretSpan | None = None
    for span in spans:
        if last is not None and span.start < last.end:
            last = SecretSpan(last.start, max(last.end, span.end), last.secret)
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last
