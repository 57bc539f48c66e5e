"""What the rules need of privileges, one row a principal or a stretch of its history: aggregates, no documents.

``privilege_spans``: principal, since, until (µs; NULL: not bounded), grants, known (of which the text, or what they
allow, is known), told (in words), unresolved (in words, NULL where nothing is), observed (BOOLEAN: every grant and text
is told by a change), made (when the principal was made, µs, NULL where that was not seen), made_leaf, region (of the
trail that told it), watched (µs: from when on the trail must be whole for no change to be missing: the earliest of its
making, that of its groups, and the changes that put the versions of its policies in force), leaf.
``privilege_facts``: principal, identity, population, everything, powers, unused (names, comma-separated, NULL for
none), narrowed (in words), since, until (the part of the account's trail in which all of this was granted, µs), trust
(in words: where it is wide), trust_grave (BOOLEAN: strangers fit), trust_leaf, leaf.

Documents are read once each, and one principal is looked at after the other: memory does not grow with them.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

import msgspec

from custody.engine.duck import Cell, Engine
from custody.model.privileges import Texts
from custody.register.privileges import breadth, state, trust
from custody.register.privileges.state import LATEST, Grant, Library, State

MOST_SPANS = 256
"""Changes of one principal that are told apart; of a principal with more, nothing is said of the time before these."""
SHOWN = 4
REASONS = 3

SPANS = {
    "principal": "VARCHAR", "since": "BIGINT", "until": "BIGINT", "grants": "BIGINT", "known": "BIGINT",
    "told": "VARCHAR", "unresolved": "VARCHAR", "observed": "BOOLEAN", "made": "BIGINT", "made_leaf": "BIGINT",
    "region": "VARCHAR", "watched": "BIGINT", "leaf": "BIGINT",
}  # fmt: skip
FACTS = {
    "principal": "VARCHAR", "identity": "VARCHAR", "population": "VARCHAR", "everything": "VARCHAR",
    "powers": "VARCHAR", "unused": "VARCHAR", "narrowed": "VARCHAR", "since": "BIGINT", "until": "BIGINT",
    "trust": "VARCHAR", "trust_grave": "BOOLEAN", "trust_leaf": "BIGINT", "leaf": "BIGINT",
}  # fmt: skip

WHOSE = """principal IN (
    SELECT coalesce(CASE WHEN c.key LIKE 'db_role:%' THEN c.key END, c.subject)
    FROM credentials c WHERE c.population IN ('machine', 'unknown'))"""
NAMES = """
    SELECT n.name, n.identity, i.population
    FROM identity_names n JOIN identities i ON i.identity = n.identity
    WHERE n.how = 'observed' AND n.name IN (SELECT principal FROM grants)
    ORDER BY n.name
"""
USED = "SELECT identity, name FROM touched WHERE what = 'service' AND uses > denied ORDER BY identity, name"
PERIODS = """
    SELECT account, min(time), max(time)
    FROM parts WHERE source = 'aws.cloudtrail' AND stage = 'use' AND account IS NOT NULL GROUP BY account
"""

DISPUTED = "SELECT principal, min(time) FROM grant_disputes GROUP BY principal"


class Start(msgspec.Struct, frozen=True, array_like=True):
    """When a principal was seen to be made."""

    principal: str
    since: int
    leaf: int
    region: str | None


class Period(msgspec.Struct, frozen=True, array_like=True):
    """What of an account's trail was read."""

    since: int
    until: int


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the grants, by principal, identity or account."""

    starts: dict[str, Start]
    names: dict[str, tuple[str, str | None]]
    used: dict[str, set[str]]
    periods: dict[str, Period]
    disputes: dict[str, int]


def build(engine: Engine, texts: Texts) -> None:
    """Make ``privilege_spans`` and ``privilege_facts`` from ``grants`` and the tables of the register."""
    spans: list[tuple[Cell, ...]] = []
    found: list[tuple[Cell, ...]] = []
    if engine.number("SELECT count(*) FROM grants"):
        library, known = Library(engine, texts), _known(engine)
        for _, grants in groupby(state.rows(engine, WHOSE), key=lambda each: each.principal):
            own = list(grants)
            spans += _spans(own, library, known)
            found += _facts(own, library, known)
    engine.table("privilege_spans", SPANS, spans)
    engine.table("privilege_facts", FACTS, found)


def _known(engine: Engine) -> _Known:
    used: dict[str, set[str]] = {}
    for identity, name in engine.stream(USED):
        used.setdefault(str(identity), set()).add(str(name).partition(".amazonaws.com")[0])
    starts = (
        msgspec.convert(row, Start)
        for row in engine.rows("SELECT principal, since, leaf, region FROM principal_starts")
    )
    return _Known(
        starts={state.common(each.principal): each for each in starts},
        names={str(name): (str(identity), _text(whose)) for name, identity, whose in engine.rows(NAMES)},
        used=used,
        periods={str(row[0]): msgspec.convert(row[1:], Period) for row in engine.rows(PERIODS)},
        disputes={state.common(str(row[0])): _number(row[1]) for row in engine.rows(DISPUTED)},
    )


def _text(cell: Cell) -> str | None:
    return None if cell is None else str(cell)


def _number(cell: Cell) -> int:
    return cell if isinstance(cell, int) else 0


def _spans(own: Sequence[Grant], library: Library, known: _Known) -> Iterator[tuple[Cell, ...]]:
    """The stretches of a principal's history between two changes of what it holds."""
    times = sorted(set(_turns(own, library)))
    bounds = (None, *times, None) if len(times) <= MOST_SPANS else (*times[-MOST_SPANS:], None)
    for since, until in pairwise(bounds):
        then = state.at(own, library, since if since is not None else until - 1 if until is not None else LATEST)
        if then.grants:
            yield _span(own, then, since, until, known)


def _turns(own: Sequence[Grant], library: Library) -> Iterator[int]:
    """Every time at which something changes: a grant, one of a group, a version of a policy, the rules of a role."""
    for grant in own:
        yield from (time for time in (grant.since, grant.until) if time is not None)
        for other in state.behind(grant, library):
            yield from (time for time in (other.since, other.until) if time is not None)
            yield from (made for made in library.created(other) if made is not None)


def _span(own: Sequence[Grant], then: State, since: int | None, until: int | None, known: _Known) -> tuple[Cell, ...]:
    made = _made(own[0].principal, since, known)
    behind = [_made(state.group_of(each), since, known) for each in then.grants if each.kind == "group"]
    texts = [found.since for found in then.reads.values() if found.since is not None]
    watched = [*texts, *(each.since for each in (made, *behind) if each is not None)]
    read = sum(found.document.problem is None for found in then.reads.values())
    silent = len(then.grants) - len(then.reads)
    return (
        own[0].principal, since, until, len(then.grants), read + silent, _told(then.grants),
        _reasons((*then.effective.unresolved, *_disputed(then, until, known))), then.observed and None not in behind,
        made.since if made else None, made.leaf if made else None, made.region if made else None,
        min(watched, default=None), min(each.leaf for each in then.grants),
    )  # fmt: skip


def _made(principal: str, since: int | None, known: _Known) -> Start | None:
    """When a principal or group was seen to be made, if that was before ``since``."""
    start = known.starts.get(state.common(principal))
    return start if start and since is not None and start.since <= since else None


def _disputed(then: State, until: int | None, known: _Known) -> Iterator[str]:
    """What lends the principal its grants or their texts, and of whose changes a record is in conflict."""
    for grant in then.grants:
        behind = state.group_of(grant) if grant.kind == "group" else state.key_of(grant.what or "")
        disputed = known.disputes.get(state.common(behind)) if grant.kind in ("group", "managed", "boundary") else None
        if disputed is not None and (until is None or disputed < until):
            yield f"{grant.kind} {grant.what}: a record of a change is in conflict"


def _told(grants: Sequence[Grant]) -> str:
    """``managed deploy, ReadOnlyAccess; inline buckets``: kinds with the last words of their names."""
    told = []
    for kind, some in groupby(sorted(grants, key=lambda each: each.kind), key=lambda each: each.kind):
        names = sorted({(each.what or "").rpartition(":policy/")[2] for each in some} - {""})
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        told.append(f"{kind} {', '.join(names[:SHOWN])}{more}".strip())
    return "; ".join(told)


def _reasons(unresolved: Sequence[str]) -> str | None:
    more = f"; and {len(unresolved) - REASONS} more" if len(unresolved) > REASONS else ""
    return "; ".join(unresolved[:REASONS]) + more if unresolved else None


def _facts(own: Sequence[Grant], library: Library, known: _Known) -> Iterator[tuple[Cell, ...]]:
    """What is wide of a principal as things stand; nothing of one that no identity of a machine has."""
    principal = own[0].principal
    identity, population = known.names.get(principal, (principal, None))
    account = principal.split(":", 2)[1]
    period = known.periods.get(account)
    now = state.at(own, library, LATEST)
    if not now.grants or not principal.startswith("aws_arn:"):
        return
    given = [each.since for each in now.grants if each.since is not None]
    wide = breadth.breadth(now.effective)
    used = frozenset(known.used.get(identity, ()))
    idle = breadth.unused(wide.services, used) if period else ()
    door = trust.widest(trust.trusted(now.trust.document)) if now.trust else None
    yield (
        principal, identity, population, _listed(wide.everything), _listed(wide.powers), _listed(idle), wide.narrowed,
        max((period.since, *given)) if period else None, period.until if period else None,
        door.wide if door else None, door.grave if door else None, now.trust.leaf if now.trust else None,
        min(each.leaf for each in now.grants),
    )  # fmt: skip


def _listed(names: Sequence[str]) -> str | None:
    return ", ".join(names) or None
