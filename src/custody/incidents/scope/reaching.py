"""How far an incident reaches: what its seeds mean, what descends from that, and what it did.

The scope is a query and is never stored: it grows as records arrive, and shrinks where a conflict takes a link away.
Grades are never raised: what was reached through an inferred link is inferred, and so is all below it. Siblings (other
credentials of the same run, session or workload) are listed, and what they did is not counted as the incident's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from custody.chains.join import CANDIDATE
from custody.incidents.scope import missing, seeds, touched
from custody.incidents.scope.grounds import (
    LOG,
    MOST,
    Credential,
    Grounds,
    children,
    chosen,
    credentials,
    identities,
    sessions,
)
from custody.incidents.scope.seeds import BOUNDED, EXACT, GRADES, INFERRED
from custody.incidents.seen import Reached, Scope
from custody.model.incidents import Seed
from custody.model.leaf import LeafRef

SIBLINGS = 1_000
"""Siblings that are listed, at most."""
DEEPEST = 32

_SUCCESSES = """
    SELECT p.key, min(p.time), max(p.time) FROM parts p
    WHERE p.key IN (SELECT unnest(?)) AND p.stage = 'use' AND p.outcome = 'success'
      AND coalesce(p.effect, '') <> 'stream.open' AND NOT p.in_conflict
    GROUP BY p.key ORDER BY p.key
"""
_MADE_KEYS = """
    SELECT m.by_key, m.what, min(m.leaf) FROM made m
    WHERE m.by_key IN (SELECT unnest(?)) AND m.effect = 'key.create' GROUP BY m.by_key, m.what
    ORDER BY m.what, m.by_key
"""
_OF_MADE = """
    SELECT m.by_key, c.key, min(m.leaf) FROM made m
    JOIN credentials c ON c.subject = m.principal AND coalesce(c.issued_at, c.first_use) >= m.time
    WHERE m.by_key IN (SELECT unnest(?)) AND m.effect IN ('user.create', 'role.create')
    GROUP BY m.by_key, c.key ORDER BY c.key, m.by_key
"""
_MAYBE = f"""
    SELECT l.to_key, l.from_key, min(l.leaf) FROM links_by_parent l
    JOIN credentials c ON c.key = l.from_key
    WHERE l.to_key IN (SELECT unnest(?)) AND l.relation = '{CANDIDATE}'
    GROUP BY l.to_key, l.from_key ORDER BY l.from_key, l.to_key
"""
_SIBLINGS = """
    SELECT b.key, a.key, coalesce(b.lineage = a.lineage, FALSE) AS of_run FROM credentials a
    JOIN credentials b ON b.key <> a.key AND b.subject = a.subject
     AND (b.lineage = a.lineage OR b.session = a.session OR b.workload = a.workload)
    WHERE a.key IN (SELECT unnest(?))
      AND coalesce(b.end_time, b.not_after, b.last_use, a.issued_at, a.first_use)
          >= coalesce(a.issued_at, a.first_use)
    ORDER BY of_run DESC, b.key, a.key LIMIT 5000
"""
_RUNS = "SELECT DISTINCT k.run FROM key_runs k WHERE k.key IN (SELECT unnest(?)) ORDER BY k.run"
_ALIASES = "SELECT a.target, a.key FROM aliases a WHERE a.target IN (SELECT unnest(?)) ORDER BY a.target, a.key"


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How a credential got into the scope."""

    why: str
    join: str
    depth: int
    leaf: LeafRef | None
    apart: bool = False


def scope(grounds: Grounds, given: Sequence[Seed]) -> Scope:
    """The scope of an incident that starts with ``given``, within what was read."""
    start = seeds.planted(grounds, given)
    ways = {each.key: Way(why=each.why, join=each.join, depth=0, leaf=each.leaf) for each in start.meant}
    own = list(ways)
    deeper = _grow(grounds, ways)
    reached = list(ways)
    more_siblings = _siblings(grounds, own, ways)
    cut_off = start.cut_off or deeper or len(reached) >= MOST or more_siblings
    found = credentials(grounds.engine, ways)
    grounds.attach([*ways, *_principals(found.values())])
    first = {str(key): (first, last) for key, first, last in chosen(grounds.engine, _SUCCESSES, ways)}
    names = _aliases(grounds, ways)
    every = (_reached(found[key], ways[key], first.get(key), names.get(key, ())) for key in found)
    members = tuple(sorted(every, key=_order))
    inside = [each for each in members if not each.apart]
    did, more = touched.touched(grounds, [each.key for each in inside])
    return Scope(
        as_of=grounds.as_of,
        credentials=members,
        identities=_identities(grounds, (found[each.key] for each in inside)),
        runs=tuple(str(run) for (run,) in chosen(grounds.engine, _RUNS, (each.key for each in inside))),
        touched=did,
        surviving=tuple(each.session for each in sessions(grounds.engine, reached) if each.closed is None),
        first_success=min((each.first_success for each in inside if each.first_success is not None), default=None),
        last_success=max((each.last_success for each in inside if each.last_success is not None), default=None),
        missing=missing.missing(grounds, [found[each.key] for each in inside]),
        unknown=(*start.unknown, *(key for key in own if key not in found)),
        cut_off=cut_off or more,
    )


def _grow(grounds: Grounds, ways: dict[str, Way]) -> bool:
    """Add all that descends, level by level; a key keeps the first and surest way by which it was reached.

    Tells whether something may descend from the last level that was looked at.
    """
    level, depth = sorted(ways), 0
    while level and depth < DEEPEST and len(ways) < MOST:
        depth += 1
        fresh: dict[str, Way] = {}
        for parent, child, leaf, why, join in _below(grounds, level):
            if child in ways:
                continue
            way = Way(
                why=f"{why} {parent}", join=_weaker(ways[parent].join, join), depth=depth, leaf=LeafRef(LOG, leaf)
            )
            if child not in fresh or GRADES.index(way.join) < GRADES.index(fresh[child].join):
                fresh[child] = way
        room = sorted(fresh, key=lambda key: (GRADES.index(fresh[key].join), key))[: MOST - len(ways)]
        ways.update((key, fresh[key]) for key in room)
        level = sorted(room)
    return any(child not in ways for _, child, *_ in _below(grounds, level))


def _below(grounds: Grounds, level: Sequence[str]) -> list[tuple[str, str, int, str, str]]:
    engine = grounds.engine
    found = [(parent, child, leaf, "issued to", EXACT) for parent, child, leaf in children(engine, level)]
    for sql, why, join in (
        (_MADE_KEYS, "made with", EXACT),
        (_OF_MADE, "of a principal that was made with", INFERRED),
        (_MAYBE, "may have been issued to", INFERRED),
    ):
        rows = msgspec.convert(chosen(engine, sql, level), list[tuple[str, str, int]])
        found += [(parent, child, leaf, why, join) for parent, child, leaf in rows]
    return found


def _siblings(grounds: Grounds, own: Sequence[str], ways: dict[str, Way]) -> bool:
    """Add the siblings of what the incident starts with; tells whether there are more than are listed."""
    added = 0
    rows = msgspec.convert(chosen(grounds.engine, _SIBLINGS, own), list[tuple[str, str, bool]])
    for sibling, of, of_run in rows:
        if sibling in ways:
            continue
        if added >= SIBLINGS:
            return True
        added += 1
        grade = _weaker(ways[of].join, BOUNDED if of_run else INFERRED)
        what = "the same run as" if of_run else "the same session or workload as"
        ways[sibling] = Way(why=f"sibling: {what} {of}", join=grade, depth=0, leaf=None, apart=True)
    return False


def _weaker(one: str, other: str) -> str:
    return GRADES[max(GRADES.index(one), GRADES.index(other))]


def _reached(found: Credential, way: Way, uses: tuple[object, object] | None, aliases: tuple[str, ...]) -> Reached:
    first, last = uses or (None, None)
    return Reached(
        key=found.key,
        credential=found.credential,
        who=found.who,
        why=way.why,
        join=way.join,
        depth=way.depth,
        alive=found.alive,
        first_success=first if isinstance(first, int) else None,
        last_success=last if isinstance(last, int) else None,
        not_after=found.not_after,
        ended=found.ended,
        leaf=way.leaf or found.seen,
        aliases=aliases,
        apart=way.apart,
    )


def _order(each: Reached) -> tuple[bool, int, int, str]:
    return (each.apart, GRADES.index(each.join), each.depth, each.key)


def _aliases(grounds: Grounds, keys: Iterable[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for key, other in msgspec.convert(chosen(grounds.engine, _ALIASES, keys), list[tuple[str, str]]):
        found[key] = (*found.get(key, ()), other)
    return found


def _principals(found: Iterable[Credential]) -> set[str]:
    return {name for each in found for name in (each.subject, each.workload) if name is not None}


def _identities(grounds: Grounds, found: Iterable[Credential]) -> tuple[str, ...]:
    """By the register; whom it does not know (people) by the principal."""
    every = list(found)
    known = identities(grounds.engine, (each.key for each in every))
    return tuple(sorted({known.get(each.key) or each.subject or each.workload or each.key for each in every}))
