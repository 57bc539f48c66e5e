"""Whether anything of an incident survives: a credential, a session, or what was made to come back with."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from custody.chains.join import listed
from custody.incidents.judging import endings, saying
from custody.incidents.judging.endings import Facts
from custody.incidents.judging.subjects import ENDING
from custody.incidents.record.folding import Incident
from custody.incidents.scope.grounds import Grounds, chosen, refs
from custody.incidents.seen import Outcome, Reached, Scope
from custody.model.effects import Kind, of_kind
from custody.model.incident_view import Judged
from custody.model.verdicts import Best, State

SURVIVES = "does any session or descendant survive"
MOST_LINES = 100
"""Lines of detail, at most."""
_MADE = """
    SELECT m.principal, m.effect, max(m.time), min(m.leaf) FROM made m
    WHERE m.by_key IN (SELECT unnest(?)) AND m.principal IS NOT NULL
      AND m.effect IN ('user.create', 'role.create', 'login.create', 'login.update', 'credential.create',
                       'trust.change')
    GROUP BY m.principal, m.effect ORDER BY m.principal, m.effect
"""
_GONE = f"""
    SELECT p.key, max(p.time) FROM parts p
    WHERE p.key IN (SELECT unnest(?)) AND p.stage = 'end' AND p.effect IN {listed(of_kind(Kind.PRINCIPAL_END))}
      AND p.outcome = 'success' AND NOT p.in_conflict
    GROUP BY p.key ORDER BY p.key
"""


def survives(
    grounds: Grounds,
    incident: Incident,
    scope: Scope,
    known: Facts,
    outcomes: Sequence[Outcome],
    over: frozenset[str] = frozenset(),
) -> Judged:
    """Proved where all that surely belongs to it is over, with no session left, and nothing else may belong to it.

    ``over`` are the actions whose targets are over by now, with what outlived their end: that they were violated is
    told, and no survivor.
    """
    kinds = {each.id: each.request.kind for each in incident.actions}
    inside = [each for each in scope.credentials if not each.apart and each.key in known.credentials]
    if not inside:
        return saying.unproven(SURVIVES, "no credential of the incident was read")
    each = [_survivor(one, known) for one in inside]
    each += [
        saying.together(SURVIVES, [one.judged])
        for one in outcomes
        if kinds.get(one.action) in ENDING and one.judged.state == State.VIOLATED and one.action not in over
    ]
    each += _left(grounds, [one.key for one in inside])
    if scope.surviving:
        names = ", ".join(scope.surviving[:4])
        each.append(saying.unproven(SURVIVES, f"not seen to close: {names}", Best.INDICATED))
    if scope.cut_off:
        each.append(saying.unproven(SURVIVES, "the scope is larger than what is listed"))
    if scope.unknown:
        each.append(saying.unproven(SURVIVES, f"nothing was found of {', '.join(scope.unknown[:4])}"))
    alive = sum(one.alive for one in inside)
    left = saying.number(len(scope.surviving), "session was", "sessions were")
    sessions = f", {left} not seen to close" if scope.surviving else ""
    found = saying.together(SURVIVES, each)
    bad = f"{found.text}; " if found.state == State.VIOLATED else ""
    every = saying.number(len(inside), "credential is", "credentials are")
    late = ", ".join(sorted(each for each in over if kinds.get(each) in ENDING))
    told = f"{bad}{alive} of {every} alive{sessions}" + (f"; over by now, violated before: {late}" if late else "")
    lines = [f"{one.state}: {one.text}" for one in each if one.state != State.PROVED]
    lines += [f"session not seen to close: {name}" for name in scope.surviving]
    return saying.together(
        SURVIVES, each, told, lines[:MOST_LINES] or [f"{one.state}: {one.text}" for one in each[:MOST_LINES]]
    )


def _survivor(one: Reached, known: Facts) -> Judged:
    judged = endings.over_now(SURVIVES, known, one.key)
    if one.join != "exact" and judged.state in (State.PROVED, State.VIOLATED):
        told = f"{judged.text}; that it belongs to the incident is {one.join}"
        return saying.unproven(SURVIVES, told, Best.INDICATED, judged.leaves)
    if judged.state == State.OPEN:
        return msgspec.structs.replace(judged, text=f"{judged.text} ({one.join})")
    return judged


def _left(grounds: Grounds, keys: Sequence[str]) -> list[Judged]:
    """Ways back that were made with the credentials of the incident, and of which no record shows that they are gone.

    A console password, a trust policy or a service's own password is no credential that a log names: it has no end.
    """
    made = msgspec.convert(chosen(grounds.engine, _MADE, keys), list[tuple[str, str, int, int]])
    if not made:
        return []
    names = sorted({principal for principal, *_ in made})
    grounds.attach(names)
    gone = dict(msgspec.convert(chosen(grounds.engine, _GONE, names), list[tuple[str, int]]))
    return [
        saying.unproven(
            SURVIVES, f"{effect} of {principal}: no record shows that it is gone", Best.INDICATED, refs(leaf)
        )
        for principal, effect, time, leaf in made
        if gone.get(principal, 0) <= time
    ]
