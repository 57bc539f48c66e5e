"""The eight questions about an incident, in the order in which they are asked, each with what its answer rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from custody.incidents.judging import conduct, exposure, saying, surviving
from custody.incidents.judging.endings import Facts
from custody.incidents.judging.outcomes import facts, over_by_now
from custody.incidents.judging.subjects import ENDING
from custody.incidents.record.folding import Incident
from custody.incidents.scope.grounds import Grounds
from custody.incidents.scope.touched import KINDS
from custody.incidents.seen import Missing, Outcome, Scope, Touched
from custody.model.incident_view import Judged
from custody.model.times import text
from custody.model.verdicts import Basis, Best, State

CHANGED = "when did each access change"
VERIFIED = "was revocation verified, and when was the last success after it"
TOUCHED = "what did the exposed credential and its descendants touch"
LACKS = "which evidence is missing, and which source would have had it"

QUESTIONS = (
    conduct.WHO,
    CHANGED,
    conduct.INSIDE,
    VERIFIED,
    surviving.SURVIVES,
    TOUCHED,
    exposure.QUESTION,
    LACKS,
)
"""The questions in their order."""

PLURALS = {"trust": "trust policies"}
PARTS = 100
"""Lines of detail that an answer has, at most."""


def answers(grounds: Grounds, incident: Incident, scope: Scope, outcomes: Sequence[Outcome]) -> tuple[Judged, ...]:
    """Every question answered, within the scope."""
    bad = {each.action for each in outcomes if each.judged.state == State.VIOLATED}
    over = frozenset(each.id for each in incident.actions if each.id in bad and over_by_now(grounds, each))
    known = facts(grounds, [each.key for each in scope.credentials if not each.apart])
    points = exposure.points(grounds, incident, scope, known)
    first = (
        conduct.who(grounds, incident),
        _changed(outcomes),
        conduct.inside(grounds, incident, outcomes),
        _verified(incident, outcomes),
        surviving.survives(grounds, incident, scope, known, outcomes, over),
        _touched(scope, known),
        exposure.judged(points),
    )
    return (*first, _lacks(scope, (*first, *(each.judged for each in outcomes))))


def _changed(outcomes: Sequence[Outcome]) -> Judged:
    """Of every action: when the log of the system shows that access changed."""
    if not outcomes:
        return saying.not_applicable(CHANGED, "nothing was asked for")
    each = [_change(one) for one in outcomes]
    seen = sum(one.state == State.PROVED for one in each)
    lines = [line for one in outcomes for line in _lines(one)]
    return saying.together(
        CHANGED, each, f"the logs show {seen} of {saying.number(len(each), 'change')}", lines[:PARTS]
    )


def _change(one: Outcome) -> Judged:
    """A change that was undone, or that something survived, is seen, and not that access changed for good."""
    found = one.judged
    if found.state == State.VIOLATED:
        return saying.unproven(CHANGED, found.text, Best.INDICATED, found.leaves)
    return found


def _lines(one: Outcome) -> list[str]:
    return [
        f"{one.judged.question}: {part}" for part in one.judged.parts or (f"{one.judged.state}: {one.judged.text}",)
    ]


def _verified(incident: Incident, outcomes: Sequence[Outcome]) -> Judged:
    kinds = {each.id: each.request.kind for each in incident.actions}
    ends = [each for each in outcomes if kinds.get(each.action) in ENDING]
    if not ends:
        return saying.not_applicable(VERIFIED, "nothing was contained, revoked or rotated")
    last = max((each.last_success_after for each in ends if each.last_success_after is not None), default=None)
    after = "no success after it was read" if last is None else f"the last success after it was at {text(last)}"
    found = saying.together(VERIFIED, [each.judged for each in ends])
    lines = [line for one in ends for line in (*_lines(one), *_last(one))]
    return saying.together(VERIFIED, [found], f"{found.text}; {after}", lines[:PARTS])


def _last(one: Outcome) -> tuple[str, ...]:
    if one.last_success_after is None:
        return ()
    return (f"{one.judged.question}: last success after it at {text(one.last_success_after)}",)


def _touched(scope: Scope, known: Facts) -> Judged:
    """What is listed, records say. It is proved only where nothing is known to be unread: that is named."""
    unread = "; ".join(each.what for each in scope.missing[:3]) or None
    if not scope.touched:
        told = "no record shows that it did anything"
        return saying.unproven(TOUCHED, told, settles=unread or "the logs of what it could reach")
    sure = {each.key for each in scope.credentials if each.join == "exact" and not each.apart}
    done = [each for each in scope.touched if each.outcome == "success"]
    told = f"at least {_counted(done)}"
    refused = len(scope.touched) - len(done)
    told += f"; {refused} more that did not succeed" if refused else ""
    lines = [_thing(each) for each in scope.touched[:PARTS]]
    leaves = [each.leaf for each in scope.touched]
    if scope.cut_off or any(each.by not in sure for each in scope.touched):
        why = "the list is cut off" if scope.cut_off else "that every credential belongs to the incident is inferred"
        return saying.unproven(TOUCHED, f"{told}; {why}", Best.INDICATED, leaves, unread, lines)
    if any(known.credentials[key].use_disputed for key in sure & known.credentials.keys()):
        return saying.unproven(
            TOUCHED, f"{told}; a record of a use is in conflict", Best.INDICATED, leaves, unread, lines
        )
    told, lines = f"{told}, as records say", [*_unread(scope), *lines]
    if scope.missing or scope.unknown:
        return saying.unproven(TOUCHED, told, Best.INDICATED, leaves, unread, lines)
    return saying.proved(TOUCHED, told, Basis.OBSERVED, leaves, lines)


def _unread(scope: Scope) -> list[str]:
    return [f"not known: {each.settles} ({each.what})" for each in scope.missing[:5]]


def _counted(done: Iterable[Touched]) -> str:
    names = Counter(dict.fromkeys(KINDS, 0))
    for kind, _ in {(each.what, each.name) for each in done}:
        names[kind] += 1
    return (
        ", ".join(saying.number(names[kind], kind, PLURALS.get(kind, "")) for kind in KINDS if names[kind]) or "nothing"
    )


def _thing(each: Touched) -> str:
    times = "" if each.count == 1 else f", {each.count} times until {text(each.last)}"
    return f"{each.what} {each.name}: {each.event} by {each.by} at {text(each.first)}{times} ({each.outcome})"


def _lacks(scope: Scope, each: Sequence[Judged]) -> Judged:
    """What was not read, and what would settle the answers that are not proved."""
    lines = [_missing(one) for one in scope.missing]
    lines += [f"{one.question}: {one.settles}" for one in each if one.state == State.UNPROVEN and one.settles]
    lines = list(dict.fromkeys(lines))
    if scope.as_of is None:
        return saying.unproven(
            LACKS, "nothing was read", settles="the logs of the systems that check these credentials"
        )
    if not lines:
        return saying.unproven(LACKS, "nothing that custody knows of; what left no trace is not known")
    gaps = saying.number(len(scope.missing), "gap")
    told = f"{gaps}: {lines[0]}" if scope.missing else f"what is not proved would be settled by: {lines[0]}"
    first = scope.missing[0].source if scope.missing and scope.missing[0].source else lines[0]
    return saying.unproven(LACKS, told, Best.INDICATED, settles=first, parts=lines[:PARTS])


def _missing(one: Missing) -> str:
    return f"{one.what}{f' ({one.source})' if one.source else ''}: {one.settles}"
