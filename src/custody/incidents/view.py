"""From an incident, its evidence and its timeline to the one value that every page draws (``model.incident_view``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from custody.incidents.record.folding import Heard, Incident
from custody.incidents.seen import Moment, Outcome, Reached, Scope, Touched
from custody.incidents.timeline.merging import Moments
from custody.incidents.told import action, step
from custody.model.incident_view import (
    CheckView,
    IncidentView,
    Judged,
    LaneView,
    MissingView,
    MomentView,
    ReachedView,
    ScopeView,
    ShiftView,
    TimelineView,
    TouchedView,
)
from custody.model.incidents import Closed, Noted, Reopened
from custody.model.report import CheckpointRef
from custody.model.times import text

SECOND = 1_000_000
CREDENTIALS, TOUCHED = 500, 500
"""What is listed of the scope on a page; all of it is counted."""
NO_SCOPE = Scope(
    as_of=None, credentials=(), identities=(), runs=(), touched=(), surviving=(), first_success=None, last_success=None
)


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What the evidence says, as far as somebody judged it."""

    scope: Scope = NO_SCOPE
    outcomes: Sequence[Outcome] = ()
    answers: Sequence[Judged] = ()
    checklist: Mapping[str, Sequence[Judged]] = {}


class Rests(msgspec.Struct, frozen=True, kw_only=True):
    """What all of it rests on: the time of looking (µs), the version, the checkpoint, and what was not read."""

    now: int
    version: str
    as_of: str | None = None
    known_at: int | None = None
    checkpoint: CheckpointRef | None = None
    not_read: tuple[str, ...] = ()


def view(incident: Incident, judgement: Judgement, moments: Moments, rests: Rests) -> IncidentView:
    """The whole incident. The timeline is whole; of the scope the first are listed and all are counted."""
    opening, outcomes = incident.opening, {each.action: each for each in judgement.outcomes}
    return IncidentView(
        incident=incident.id,
        title=opening.title,
        severity=opening.severity.value,
        state="open" if incident.closed is None else "closed",
        version=rests.version,
        opened=step(incident.opened, incident),
        aware=opening.aware,
        seeds=tuple(f"{each.kind.value} {each.value}" for each in incident.seeds),
        as_of=rests.as_of,
        known_at=text(rests.known_at),
        response=opening.response,
        closed=None if incident.closed is None else step(incident.closed, incident),
        notes=tuple(step(each, incident) for each in incident.heard if _is_said(each, incident)),
        claims=tuple(step(each, incident) for each in (*incident.claims, *incident.vouched)),
        actions=tuple(action(each, incident, rests.now, outcomes.get(each.id)) for each in incident.actions),
        answers=tuple(judgement.answers),
        checks=tuple(
            CheckView(identity=name, items=tuple(items)) for name, items in sorted(judgement.checklist.items())
        ),
        scope=scope(judgement.scope),
        missing=tuple(MissingView(what=e.what, source=e.source, settles=e.settles) for e in judgement.scope.missing),
        timeline=timeline(moments),
        odd=tuple(step(each.heard, incident, each.why) for each in incident.odd),
        not_read=rests.not_read,
        checkpoint=rests.checkpoint,
    )


def _is_said(heard: Heard, incident: Incident) -> bool:
    """Whether a step is one of the notes: somebody's words, or that it was over once and then was not."""
    earlier = isinstance(heard.step, Closed) and heard != incident.closed
    return earlier or isinstance(heard.step, Noted | Reopened)


def timeline(moments: Moments) -> TimelineView:
    """The timeline with its lanes: systems and custody by the first line of each, then people."""
    lanes = Counter((each.party, each.lane) for each in moments.moments)
    order = sorted(lanes, key=lambda lane: (lane[0] == "person", lane[0] == "custody"))
    return TimelineView(
        moments=tuple(map(_moment, moments.moments)),
        lanes=tuple(LaneView(lane=name, party=party, moments=lanes[party, name]) for party, name in order),
        reference=moments.shifts.reference,
        shifts=tuple(
            ShiftView(
                source=each.source,
                shifted=_seconds(each.shifted),
                unsure=_seconds(each.unsure),
                samples=each.samples,
                over=each.over,
                why=each.why,
            )
            for each in moments.shifts.each
        ),
        left_out=moments.left_out,
    )


def _moment(each: Moment) -> MomentView:
    return MomentView(
        at=text(each.at) or "",
        lane=each.lane,
        party=each.party,
        kind=each.kind,
        text=each.text,
        grade=each.grade,
        leaf=each.leaf,
        who=each.who,
        last=text(each.last) if each.count > 1 else None,
        count=each.count,
        known=text(each.known),
        corrected=None if each.shifted is None else text(each.at + each.shifted),
        shifted=_seconds(each.shifted),
        unsure=_seconds(each.unsure),
        asserter=each.asserter,
        outcome=each.outcome,
        source=each.source,
        key=each.key,
        action=each.action,
    )


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / SECOND


def scope(found: Scope) -> ScopeView:
    """The scope: the credentials that were reached, siblings after them, and what they did."""
    mine = [each for each in found.credentials if not each.apart]
    listed = [*mine, *(each for each in found.credentials if each.apart)]
    return ScopeView(
        as_of=text(found.as_of),
        credentials=tuple(map(_reached, listed[:CREDENTIALS])),
        credentials_total=len(listed),
        alive=sum(each.alive for each in mine),
        identities=found.identities,
        runs=found.runs,
        touched=tuple(map(_touched, found.touched[:TOUCHED])),
        touched_total=len(found.touched),
        counts=dict(sorted(Counter(each.what for each in found.touched).items())),
        surviving=found.surviving,
        first_success=text(found.first_success),
        last_success=text(found.last_success),
        unknown=found.unknown,
        cut_off=found.cut_off,
    )


def _reached(each: Reached) -> ReachedView:
    return ReachedView(
        credential=each.credential,
        key=each.key,
        who=each.who,
        why=each.why,
        join=each.join,
        depth=each.depth,
        alive=each.alive,
        apart=each.apart,
        first_success=text(each.first_success),
        last_success=text(each.last_success),
        not_after=text(each.not_after),
        ended=text(each.ended),
        leaf=each.leaf,
    )


def _touched(each: Touched) -> TouchedView:
    return TouchedView(
        what=each.what,
        name=each.name,
        by=each.by,
        event=each.event,
        first=text(each.first) or "",
        last=text(each.last) or "",
        count=each.count,
        outcome=each.outcome,
        leaf=each.leaf,
    )
