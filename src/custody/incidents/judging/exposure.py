"""From exposure to first abuse, to detection, to containment: four points in time, each with what it rests on.

Exposure is taken from a record that says so and from nothing else. Abuse is the first success that what is known of the
holder's origins does not explain: proved only where the rule on holders is violated by that very origin. Detection is
what people say, and never later than the opening was sealed. Containment is when the last credential was over.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import msgspec

from custody.chains.spellings import canonical
from custody.incidents.judging import saying
from custody.incidents.judging.asked import done_at, moment_of
from custody.incidents.judging.endings import Facts
from custody.incidents.record.folding import Incident
from custody.incidents.scope.grounds import LOG, Grounds, chosen, refs
from custody.incidents.seen import Reached, Scope
from custody.model.incident_view import Judged
from custody.model.incidents import ActionKind, SeedKind
from custody.model.leaf import LeafRef
from custody.model.times import duration, text
from custody.model.verdicts import Basis, Best, Question, State
from custody.rules import judging
from custody.rules.registry import load

QUESTION = "from exposure to first abuse, to detection, to containment"
NAMES = ("exposure", "first abuse", "detection", "containment")
UNKNOWN = "unknown"
_RANK = ("proved", Best.INDICATED.value, Best.CLAIMED.value, UNKNOWN)
"""From strong to weak."""

_EXPOSED = """
    SELECT key, time, leaf, asserter FROM (
        SELECT t.key, t.time, t.leaf, t.asserter FROM told t WHERE t.effect = 'secret.exposed'
        UNION ALL
        SELECT p.key, p.time, p.leaf, coalesce(p.asserter, 'issuer') FROM parts p
        WHERE p.effect = 'secret.exposed' AND NOT p.in_conflict
    ) found WHERE key IN (SELECT unnest(?)) ORDER BY time, asserter, key, leaf
"""
_STRANGE = "SELECT f.key, f.strange_origin FROM facts_used_by_holder f WHERE f.key IN (SELECT unnest(?)) ORDER BY f.key"
_UNEXPLAINED = """
    SELECT o.key, o.origin FROM key_origins o
    WHERE o.key IN (SELECT unnest(?)) AND o.unexplained > 0 AND EXISTS (
        SELECT 1 FROM key_origins k
        WHERE coalesce(k.subject, '') = coalesce(o.subject, '') AND coalesce(k.workload, '') = coalesce(o.workload, '')
          AND k.by_log + k.by_contract > 0)
    ORDER BY o.key, o.origin
"""
_SUCCESSES = """
    SELECT p.key, p.origin, p.time, p.leaf FROM (
        SELECT p.key, p.origin, p.time, p.leaf,
               row_number() OVER (PARTITION BY p.key, p.origin ORDER BY p.time, p.leaf) AS place
        FROM parts p
        WHERE p.key IN (SELECT unnest(?)) AND p.stage = 'use' AND p.outcome = 'success' AND p.invoked_by IS NULL
          AND p.origin IS NOT NULL AND coalesce(p.effect, '') <> 'stream.open' AND NOT p.in_conflict
          AND p.time >= ?
    ) p WHERE p.place = 1 ORDER BY p.time, p.key, p.origin, p.leaf
"""
_TIME_OF = """
    SELECT min(time) FROM (
        SELECT p.time FROM parts p WHERE p.leaf = ? UNION ALL SELECT t.time FROM told t WHERE t.leaf = ?
    ) every_time
"""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One point: when (µs, None: unknown) and why; ``grade``: ``proved``, ``indicated``, ``claimed`` or ``unknown``."""

    name: str
    at: int | None
    grade: str
    why: str
    leaves: tuple[LeafRef, ...] = ()


Success = tuple[str, str, int, int]
"""Key, origin, time (µs) and leaf of the first success from there."""


def points(grounds: Grounds, incident: Incident, scope: Scope, facts: Facts) -> tuple[Point, ...]:
    """The four points in their order."""
    started = [each for each in scope.credentials if not each.apart and each.depth == 0]
    keys = [each.key for each in started]
    principals = {name for key in keys if key in facts.credentials and (name := facts.credentials[key].subject)}
    grounds.attach([*keys, *sorted(principals)])
    exposed = _exposure(grounds, keys, principals)
    abused = _abuse(grounds, incident, started, exposed)
    return (exposed, abused, _detection(grounds, incident), _containment(incident, scope, facts))


def judged(every: Sequence[Point]) -> Judged:
    """The points as one answer: proved where all four are, else as good as the weakest."""
    lines = [_line(each) for each in every]
    for one, other in itertools.pairwise(every):
        lines.append(f"{one.name} to {other.name}: {_between(one, other)}")
    weakest = max((_RANK.index(each.grade) for each in every), default=len(_RANK) - 1)
    leaves = [leaf for each in every for leaf in each.leaves]
    told = "; ".join(f"{each.name} {text(each.at) or UNKNOWN}" for each in every)
    if weakest == 0:
        return saying.proved(QUESTION, told, Basis.OBSERVED, leaves, lines)
    best = Best.NOTHING if _RANK[weakest] == UNKNOWN else Best(_RANK[weakest])
    settles = next((f"{each.name}: {each.why}" for each in every if each.grade == _RANK[weakest]), None)
    return saying.unproven(QUESTION, told, best, leaves, settles, lines)


def _line(each: Point) -> str:
    return f"{each.name}: {text(each.at) or UNKNOWN} ({each.grade}): {each.why}"


def _between(one: Point, other: Point) -> str:
    if one.at is None or other.at is None:
        return UNKNOWN
    grade = max(one.grade, other.grade, key=_RANK.index)
    gap = other.at - one.at
    return f"{duration(abs(gap))}{' before it' if gap < 0 else ''} ({grade})"


def _exposure(grounds: Grounds, keys: Sequence[str], principals: Iterable[str]) -> Point:
    rows = chosen(grounds.engine, _EXPOSED, [*keys, *principals])
    found = msgspec.convert(rows, list[tuple[str, int, int, str | None]])
    if not found:
        return Point(name="exposure", at=None, grade=UNKNOWN, why="no record that was read says that it was exposed")
    key, time, leaf, asserter = found[0]
    sure = asserter == "issuer" and key in keys
    why = f"exposed by then, says {'its issuer' if sure else 'a scanner or a notice about its principal'}"
    grade = "proved" if sure else Best.INDICATED.value
    return Point(name="exposure", at=time, grade=grade, why=why, leaves=(LeafRef(LOG, leaf),))


def _abuse(grounds: Grounds, incident: Incident, started: Sequence[Reached], exposed: Point) -> Point:
    keys = [each.key for each in started]
    rows = chosen_since(grounds, keys, 0)
    strange = _strange(grounds, keys)
    sure = [each for each in rows if (each[0], canonical(each[1])) in strange]
    unexplained = {(str(key), str(origin)) for key, origin in chosen(grounds.engine, _UNEXPLAINED, keys)}
    named = {canonical(seed.value) for seed in incident.seeds if seed.kind is SeedKind.ADDRESS}
    maybe = [each for each in rows if (each[0], canonical(each[1])) in unexplained or canonical(each[1]) in named]
    maybe += _new_since(grounds, keys, rows, exposed)
    first = min((*sure, *maybe), key=lambda each: (each[2], each[0], each[1]), default=None)
    if first is None:
        why = "nothing tells the uses of its holder from those of another"
        return Point(name="first abuse", at=None, grade=UNKNOWN, why=why)
    proven = first in sure
    why = f"{first[0]} had a success from {first[1]}, " + (
        "where another works, and its holder elsewhere" if proven else "which nothing gives to its holder"
    )
    grade = "proved" if proven else Best.INDICATED.value
    return Point(name="first abuse", at=first[2], grade=grade, why=why, leaves=(LeafRef(LOG, first[3]),))


def chosen_since(grounds: Grounds, keys: Sequence[str], since: int) -> list[Success]:
    """The first success of each key from each origin at ``since`` (µs) or later, first first."""
    return msgspec.convert(grounds.engine.rows(_SUCCESSES, [sorted(keys), since]), list[Success]) if keys else []


def _strange(grounds: Grounds, keys: Sequence[str]) -> set[tuple[str, str]]:
    """Keys and the origins by which the rule on holders is violated."""
    rules = [rule for rule in load() if rule.question is Question.HOLDER]
    found = judging.verdicts_of(grounds.engine, rules, grounds.versions, sorted(keys)) if keys else {}
    bad = [key for key, each in found.items() if each[Question.HOLDER.value].state is State.VIOLATED]
    rows = chosen(grounds.engine, _STRANGE, bad)
    return {(str(key), canonical(str(origin))) for key, origin in rows if origin is not None}


def _new_since(grounds: Grounds, keys: Sequence[str], rows: Sequence[Success], exposed: Point) -> list[Success]:
    """Of keys with uses from before the exposure: successes after it from where they never worked before."""
    if exposed.at is None:
        return []
    before = {(each[0], each[1]) for each in rows if each[2] < exposed.at}
    known = {key for key, _ in before}
    later = chosen_since(grounds, keys, exposed.at)
    return [each for each in later if each[0] in known and (each[0], each[1]) not in before]


def _detection(grounds: Grounds, incident: Incident) -> Point:
    opened, aware = incident.opened, moment_of(incident.opening.aware)
    found = [
        Point(name="detection", at=opened.at, grade="proved", why="the incident was opened", leaves=(opened.leaf,))
    ]
    if aware is not None and aware < opened.at:
        why = f"{opened.author} says that they knew; the opening was sealed at {text(opened.at)}"
        found.append(Point(name="detection", at=aware, grade=Best.CLAIMED.value, why=why, leaves=(opened.leaf,)))
    for seed in incident.opening.seeds:
        if seed.kind is SeedKind.ALERT and seed.record is not None and seed.record.log == LOG:
            grounds.attach(None)
            time = grounds.engine.one(_TIME_OF, [seed.record.index, seed.record.index])[0]
            if isinstance(time, int):
                why = "the record that it was opened from; that people saw it then is not recorded"
                grade = Best.INDICATED.value
                found.append(Point(name="detection", at=time, grade=grade, why=why, leaves=(seed.record,)))
    return min(found, key=lambda each: (each.at or 0, _RANK.index(each.grade)))


def _containment(incident: Incident, scope: Scope, facts: Facts) -> Point:
    """When the last credential that surely belongs to it was over, by the logs; else what people say."""
    sure = [each for each in scope.credentials if not each.apart and each.join == "exact"]
    members = sure or [each for each in scope.credentials if not each.apart]
    known = [facts.credentials[each.key] for each in members if each.key in facts.credentials]
    ends = [each.over for each in known]
    if known and all(end is not None for end in ends):
        proven = bool(sure) and all(facts.verdicts[each.key].state is State.PROVED for each in known)
        last = max(end for end in ends if end is not None)
        loose = _loose(scope, facts, last)
        why = "every credential of the scope was over" if sure else "every credential that may belong to it was over"
        if sure and loose:
            why = f"every credential that surely belongs to it was over; {loose} that may belong to it may not be"
        whole = not scope.cut_off and not scope.unknown and not loose
        grade = "proved" if proven and whole else Best.INDICATED.value
        return Point(name="containment", at=last, grade=grade, why=why, leaves=refs(*(each.end_leaf for each in known)))
    kinds = (ActionKind.CONTAIN, ActionKind.REVOKE)
    actions = [each for each in incident.actions if each.request.kind in kinds]
    said = [done_at(each) for each in actions]
    if said and all(each is not None for each in said):
        leaves = tuple(heard.leaf for each in actions for heard in each.done)
        why = "said to be done, and the logs do not show it of every credential"
        last = max(each for each in said if each is not None)
        return Point(name="containment", at=last, grade=Best.CLAIMED.value, why=why, leaves=leaves)
    alive = sum(each.alive for each in known)
    why = (
        saying.number(alive, "credential is alive", "credentials are alive")
        if known
        else "no credential of it was read"
    )
    return Point(name="containment", at=None, grade=UNKNOWN, why=why)


def _loose(scope: Scope, facts: Facts, moment: int) -> int:
    """Credentials that may belong to it, and are not proved to be over by ``moment`` (µs)."""
    maybe = [each.key for each in scope.credentials if not each.apart and each.join != "exact"]
    known = [facts.credentials[key] for key in maybe if key in facts.credentials]
    late = {key for key, (time, _) in facts.last.items() if time > moment}
    return sum(
        each.over is None
        or each.over > moment
        or each.key in late
        or facts.verdicts[each.key].state is not State.PROVED
        for each in known
    )
