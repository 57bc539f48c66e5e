"""Who stands for an identity, stretch by stretch of time: the claim that counts, and what speaks against it.

``standing``: identity, field (``owner``, ``purpose``), starts, ends (µs; NULL: unbounded; ends is exclusive), value,
said_by, grade (a ``Grade``), signer, known_at, expires (µs), against (what another says, NULL where nobody does), leaf.
Between them the stretches of an identity and field cover all time. Identities of which only a contract speaks have
none: what a class says holds always and proves nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import groupby, pairwise

import msgspec

from custody.engine.duck import Cell, Engine
from custody.model.register import SealedDocument, sayer
from custody.register.spelling import plain
from custody.register.times import State, state_of
from custody.register.versions import in_force

FIELDS = ("owner", "purpose")
COLUMNS = {
    "identity": "VARCHAR", "field": "VARCHAR", "starts": "BIGINT", "ends": "BIGINT", "value": "VARCHAR",
    "said_by": "VARCHAR", "grade": "VARCHAR", "signer": "VARCHAR", "known_at": "BIGINT", "expires": "BIGINT",
    "against": "VARCHAR", "leaf": "BIGINT",
}  # fmt: skip

SAID = """
    SELECT c.identity, c.field, c.value, c.said_by, c.asserter, c.signer, c.vouched, c.since, c.expires, c.known_at,
           c.superseded_at, c.leaf
    FROM claims c
    WHERE c.field IN ('owner', 'purpose') AND c.identity IN (
        SELECT o.identity FROM claims o WHERE o.said_by LIKE 'register:%' OR o.said_by LIKE 'inventory:%')
    ORDER BY c.identity, c.field, coalesce(c.leaf, -1), c.said_by, c.value
"""


class Grade(StrEnum):
    """How good a claim is, best first. Only the first can prove anything."""

    VOUCHED = "vouched"
    SIGNED = "signed"
    DECLARED = "declared"
    LATER = "later"
    EXPIRED = "expired"


RANK = {grade: rank for rank, grade in enumerate(Grade)}


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """One claim, as ``SAID`` gives it."""

    identity: str
    field: str
    value: str
    said_by: str
    asserter: str
    signer: str | None
    vouched: bool
    since: int | None
    expires: int | None
    known_at: int | None
    superseded_at: int | None
    leaf: int | None

    @property
    def sealed(self) -> bool:
        """Whether it stands in a register document."""
        return self.known_at is not None


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time in which one claim counts: from ``starts`` to before ``ends``."""

    starts: int | None
    ends: int | None
    claim: Claim
    grade: Grade
    against: str | None


Members = Mapping[str, frozenset[str]]


def membership(pairs: Iterable[tuple[str, str]]) -> Members:
    """Who belongs to each party, of pairs of party and member, all in the form in which values are compared."""
    found: dict[str, frozenset[str]] = {}
    for party, member in pairs:
        found[plain(party)] = found.get(plain(party), frozenset()) | {plain(member)}
    return found


def members_of(documents: Sequence[SealedDocument]) -> Members:
    """Who belongs to each party, as the documents in force say."""
    parties = (party for sealed in in_force(documents) for party in sealed.document.parties)
    return membership((party.name, member) for party in parties for member in party.members)


def agree(one: str, other: str, members: Members) -> bool:
    """Whether two values say the same: alike in plain form, or one of them a declared member of the other."""
    first, second = plain(one), plain(other)
    return first == second or first in members.get(second, ()) or second in members.get(first, ())


def stretches(claims: Sequence[Claim], members: Members) -> Iterator[Stretch]:
    """The stretches of one identity and field, in order of time."""
    turns = {time for one in claims for time in (one.since, one.expires, one.known_at, one.superseded_at)}
    bounds = [None, *sorted(time for time in turns if time is not None), None]
    for starts, ends in pairwise(bounds):
        moment = starts if starts is not None else (ends or 0) - 1
        found = _best(claims, moment, members)
        if found is not None:
            claim, grade, against = found
            yield Stretch(starts=starts, ends=ends, claim=claim, grade=grade, against=against)


def _best(claims: Sequence[Claim], moment: int, members: Members) -> tuple[Claim, Grade, str | None] | None:
    graded = [(grade, one) for one in _last(claims, moment) if (grade := _grade(one, moment)) is not None]
    if not graded:
        return None
    grade, best = min(graded, key=lambda each: (RANK[each[0]], not each[1].sealed, each[1].said_by, each[1].value))
    standing = [one for other, one in graded if other is not Grade.EXPIRED]
    return best, grade, contradicts(best, standing, members)


def _last(claims: Sequence[Claim], moment: int) -> Iterator[Claim]:
    """Of the versions of one document that speak of ``moment`` the one that was sealed last."""
    last: dict[str, Claim] = {}
    for one in claims:
        if not one.sealed:
            yield one
        elif state_of(moment, one.since, one.expires, one.known_at, one.superseded_at) in (State.HELD, State.EXPIRED):
            last[one.said_by] = one
    for one in claims:
        if one.sealed and one.superseded_at is None:
            last.setdefault(one.said_by, one)
    yield from last.values()


def _grade(one: Claim, moment: int) -> Grade | None:
    if one.since is not None and moment < one.since:
        return None
    if one.expires is not None and moment >= one.expires:
        return Grade.EXPIRED
    if not one.sealed:
        return Grade.DECLARED
    if one.known_at is not None and moment < one.known_at:
        return Grade.LATER
    if one.asserter != "signed":
        return Grade.DECLARED
    return Grade.VOUCHED if one.vouched else Grade.SIGNED


def contradicts(best: Claim, standing: Iterable[Claim], members: Members) -> str | None:
    """What somebody else says against ``best``. A source of several values contradicts where none of them agrees."""
    by: dict[str, list[str]] = {}
    for one in standing:
        if one.said_by != best.said_by:
            by.setdefault(one.said_by, []).append(one.value)
    told = [
        f"{min(values)}, says {sayer(who)}"
        for who, values in sorted(by.items())
        if not any(agree(best.value, value, members) for value in values)
        and not (who.startswith("contract:") and best.said_by.startswith("contract:"))
    ]
    return "; ".join(told) or None


def build(engine: Engine, documents: Sequence[SealedDocument]) -> None:
    """Make ``standing`` over ``claims``."""
    members = members_of(documents)
    claims = (msgspec.convert(row, Claim) for row in engine.stream(SAID))
    rows: list[tuple[Cell, ...]] = []
    for (identity, field), some in groupby(claims, key=lambda one: (one.identity, one.field)):
        for each in stretches(list(some), members):
            one = each.claim
            rows.append((
                identity, field, each.starts, each.ends, one.value, one.said_by, each.grade.value, one.signer,
                one.known_at, one.expires, each.against, one.leaf,
            ))  # fmt: skip
    engine.table("standing", COLUMNS, rows)
