"""One file of Cedar policies, taken apart: each policy with its own text, id and annotations.

A policy's text reaches from its first annotation (or ``permit``, ``forbid``) to its semicolon; its digest is SHA-256 of
those bytes, so that anybody can compute it from the file. Cedar parses the whole file as well as each piece: where the
two differ in anything, the file is refused.
"""

from __future__ import annotations

import re
from hashlib import sha256

import cedarpy
import msgspec

from custody.errors import UsageError
from custody.model.broker_terms import Asked
from custody.settings.amounts import MICROSECONDS, parse_duration
from custody.settings.document import readable

FREE = frozenset({"id", "description", "owner", "reference"})
"""Annotations that decide nothing, and ``id``. Any other is refused: ``@aproval`` must not pass for a comment."""
DECIDING = frozenset({"approval", "max_ttl"})
"""Annotations of a permit that bound it."""

ID_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}", re.ASCII)
MOST_APPROVALS = 20
LONGEST = 7 * 86_400
"""The longest time to approve and the longest ``max_ttl``, in seconds."""

_TOKEN = re.compile(r'//[^\n\r]*|"(?:\\.|[^"\\])*"|;|[^\s;"/]+|/|\s+', re.DOTALL)
_APPROVAL = re.compile(r"([1-9][0-9]?) of ([A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}) within ([0-9a-z]{2,20})", re.ASCII)
APPROVAL_FORM = '"2 of GROUP within 15m"'


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """One policy. ``place`` is ``file:line``; ``body`` Cedar's JSON form of it; ``max_ttl`` is in seconds."""

    id: str
    effect: str
    place: str
    text: str
    sha256: str
    body: dict[str, object]
    asked: Asked | None = None
    max_ttl: int | None = None
    description: str = ""


class Flaw(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong with a policy folder. ``where`` is a file, or ``file:line``."""

    where: str
    message: str
    found: str = ""
    expected: str = ""


class _Form(msgspec.Struct):
    """Cedar's JSON form of a policy set, as far as it is looked into."""

    templates: dict[str, msgspec.Raw] = {}
    staticPolicies: dict[str, dict[str, object]] = {}  # noqa: N815  # the name in Cedar's format


def taken_apart(text: str, name: str) -> tuple[list[Policy], list[Flaw]]:
    """The policies of the file ``name`` in order, and everything that is wrong with it."""
    if not readable(text.replace("\r\n", "\n")):
        return [], [Flaw(where=name, message="a character that cannot be seen, or turns the text around")]
    try:
        whole = _parsed(text)
        pieces = [(line, piece, _parsed(piece)) for line, piece in slices(text)]
    except ValueError as error:
        return [], [Flaw(where=name, message="not Cedar policies", found=" ".join(str(error).split())[:300])]
    if whole.templates:
        return [], [Flaw(where=name, message="a policy template", expected="policies without ?principal and ?resource")]
    each = [whole.staticPolicies.get(f"policy{place}") for place in range(len(pieces))]
    if len(whole.staticPolicies) != len(pieces) or each != [form.staticPolicies.get("policy0") for *_, form in pieces]:
        return [], [Flaw(where=name, message="the policies of this file cannot be told apart")]
    policies, flaws = [], []
    for line, piece, form in pieces:
        try:
            policies.append(_policy(f"{name}:{line}", piece, form.staticPolicies["policy0"]))
        except UsageError as error:
            flaws.append(flaw(error))
    return policies, flaws


def flaw(error: UsageError) -> Flaw:
    """An error of the tree as a flaw of the folder."""
    return Flaw(where=error.where, message=error.message, found=error.found, expected=error.expected)


def slices(text: str) -> list[tuple[int, str]]:
    """Each policy's own text and the line on which it begins; what stands between policies belongs to none."""
    found: list[tuple[int, str]] = []
    start: int | None = None
    for token in _TOKEN.finditer(text):
        piece = token[0]
        if start is None and not piece.isspace() and not piece.startswith("//"):
            start = token.start()
        if piece == ";" and start is not None:
            found.append((text.count("\n", 0, start) + 1, text[start : token.end()]))
            start = None
    if start is not None:
        found.append((text.count("\n", 0, start) + 1, text[start:]))
    return found


def _parsed(text: str) -> _Form:
    return msgspec.json.decode(cedarpy.policies_to_json_str(text), type=_Form)


def _policy(place: str, text: str, body: dict[str, object]) -> Policy:
    annotations = msgspec.convert(body.get("annotations") or {}, dict[str, str | None])
    effect = str(body["effect"])
    unknown = sorted(set(annotations) - FREE - DECIDING)
    if unknown:
        expected = ", ".join(f"@{name}" for name in sorted(FREE | DECIDING))
        raise UsageError("an unknown annotation", where=place, found=f"@{unknown[0]}", expected=expected)
    name = annotations.get("id") or ""
    if not ID_FORM.fullmatch(name):
        raise UsageError("no usable @id", where=place, found=repr(name[:60]), expected='@id("a-name")')
    wrong = sorted(DECIDING & set(annotations)) if effect == "forbid" else []
    if wrong:
        raise UsageError("a forbid is bound by nothing", where=place, found=f"@{wrong[0]}", expected="on permits only")
    return Policy(
        id=name,
        effect=effect,
        place=place,
        text=text,
        sha256=sha256(text.encode()).hexdigest(),
        body=body,
        asked=_asked(annotations["approval"] or "", place) if "approval" in annotations else None,
        max_ttl=_seconds(annotations["max_ttl"] or "", place, "@max_ttl") if "max_ttl" in annotations else None,
        description=annotations.get("description") or "",
    )


def _asked(text: str, place: str) -> Asked:
    found = _APPROVAL.fullmatch(text)
    if found is None or int(found[1]) > MOST_APPROVALS:
        expected = f"{APPROVAL_FORM}, {MOST_APPROVALS} people at most"
        raise UsageError("not an @approval", where=place, found=repr(text[:100]), expected=expected)
    return Asked(count=int(found[1]), group=found[2], within=_seconds(found[3], place, "@approval"))


def _seconds(text: str, place: str, which: str) -> int:
    try:
        seconds = parse_duration(text) // MICROSECONDS["s"]
    except UsageError as error:
        raise UsageError(f"{error.message} in {which}", where=place, found=error.found, expected="15m") from None
    if seconds > LONGEST:
        raise UsageError(f"too long in {which}", where=place, found=text, expected="7 days at most")
    return seconds
