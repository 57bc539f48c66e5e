"""The timeline of an incident: the chains of the credentials in scope, the steps of both logs, and findings, merged.

Every line keeps its own time; what skew correction adds stands beside it and decides the order. Events and what is
known of them are two times. Memory is bounded: alike uses are folded, and what is left out is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from custody.engine.duck import Engine
from custody.incidents.record.folding import Incident
from custody.incidents.seen import Moment, Scope
from custody.incidents.timeline import uses as folded
from custody.incidents.timeline.events import events
from custody.incidents.timeline.known import Known
from custody.incidents.timeline.shifts import Shifts, measured, shifts
from custody.incidents.timeline.steps import steps
from custody.model.leaf import LeafRef
from custody.model.verdicts import Finding, State

CUSTODY = "custody"
ORDER = (
    "aware", "opened", "exposed", "start", "request", "approve", "decide", "issue", "session", "use", "secret", "made",
    "refresh", "change", "session-end", "end", "run-end", "told", "finding",
)  # fmt: skip
"""What comes first of lines with one time."""
FINDINGS = 1_000
RANKS = {kind: place for place, kind in enumerate(ORDER)}
NOTHING = Known()


class Moments(msgspec.Struct, frozen=True, kw_only=True):
    """The whole timeline. ``left_out`` counts the records in scope that no line stands for."""

    moments: tuple[Moment, ...]
    shifts: Shifts
    left_out: int = 0


def timeline(
    incident: Incident, scope: Scope, engine: Engine, findings: Sequence[Finding] = (), sealed: Known = NOTHING
) -> Moments:
    """The lines in order of corrected time, then of stage, log and leaf.

    ``engine`` has the derived tables with ``judged``, and ``parts`` of the keys in scope. Of ``findings`` those about
    the scope are taken.
    """
    sealed.table(engine)
    folded.define(engine, scope.credentials)
    used, unlisted = folded.uses(engine, scope.touched)
    happened, left = events(engine, sealed)
    found = [*used, *happened, *_findings(engine, scope, findings, sealed)]
    clocks = shifts(measured(engine), (each.source for each in found if each.source))
    return Moments(
        moments=ordered([*(_shifted(each, clocks) for each in found), *steps(incident)]),
        shifts=clocks,
        left_out=unlisted + left,
    )


def ordered(moments: Iterable[Moment]) -> tuple[Moment, ...]:
    """In an order that depends on nothing but the lines themselves."""
    return tuple(sorted(moments, key=_place))


def corrected(moment: Moment) -> int:
    """Its time by the reference clock as far as that is known (µs)."""
    return moment.at + (moment.shifted or 0)


def _place(moment: Moment) -> tuple[int, int, str, str, str, str, str, int]:
    return (
        corrected(moment),
        RANKS.get(moment.kind, len(RANKS)),
        moment.party,
        moment.lane,
        moment.key,
        moment.text,
        moment.leaf.log,
        moment.leaf.index,
    )


def _shifted(moment: Moment, clocks: Shifts) -> Moment:
    shift = clocks.of(moment.source)
    if shift is None or shift.shifted is None:
        return moment
    return msgspec.structs.replace(moment, shifted=shift.shifted, unsure=shift.unsure)


def _findings(engine: Engine, scope: Scope, findings: Sequence[Finding], sealed: Known) -> list[Moment]:
    """Findings about the scope, each where the last record stands that it cites, known when all of those were."""
    names = {name for each in scope.credentials for name in (each.key, each.credential)} | set(scope.identities)
    mine = [each for each in findings if {each.subject, each.credential} & names and each.leaves][:FINDINGS]
    times = _times(engine, sorted({leaf for each in mine for leaf in each.leaves}))
    return [_finding(each, times, sealed) for each in mine]


def _finding(found: Finding, times: dict[int, int], sealed: Known) -> Moment:
    known = [at for leaf in found.leaves if (at := sealed.at(leaf)) is not None]
    last = max(found.leaves, key=lambda leaf: (times.get(leaf, 0), leaf))
    return Moment(
        at=times.get(last, max(known, default=0)),
        known=max(known, default=None),
        lane=CUSTODY,
        kind="finding",
        text=f"{found.severity.value}: {found.title}: {found.text}",
        leaf=LeafRef(folded.LOG, last),
        grade="exact" if found.state is State.VIOLATED else "inferred",
        who=found.who,
        party="custody",
        asserter=CUSTODY,
        key=found.subject,
    )


def _times(engine: Engine, leaves: Sequence[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for start in range(0, len(leaves), 1000):
        some = list(leaves[start : start + 1000])
        marks = ", ".join("?" for _ in some)
        rows = engine.rows(f"SELECT leaf, min(time) FROM parts WHERE leaf IN ({marks}) GROUP BY leaf", some)
        found.update((int(str(leaf)), int(str(time))) for leaf, time in rows)
    return found
