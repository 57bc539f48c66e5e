"""How requests stand with people: every decision in the log of approvals, weighed as the broker will."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from custody.broker.approvals.decision import Given, read
from custody.broker.approvals.people import Persons
from custody.broker.approvals.tally import Tally, tally
from custody.broker.approvals.weighing import View, approved_of, stands, weigh
from custody.broker.desk import RequestState
from custody.model.times import microseconds
from custody.pipeline.approvals import Log
from custody.pipeline.approving.rechecking import recheck
from custody.pipeline.approving.requests import Shown

Groups = Mapping[str, Sequence[str]] | None
"""The members of each group by key, as the broker's file has them; None where no file was given."""


class Weighed(msgspec.Struct, frozen=True):
    """A decision that is sealed, and why it does not count (empty where it does)."""

    given: Given
    why: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A request with all that was decided about it, and what that comes to now."""

    shown: Shown
    state: RequestState
    weighed: tuple[Weighed, ...]
    tally: Tally


def weighed(shown: Shown, log: Log, persons: Persons, groups: Groups) -> tuple[Weighed, ...]:
    """Every decision about a request of this broker, in order of leaf, each weighed as of when it was sealed."""
    found: list[Weighed] = []
    for given in _about(shown, log):
        before = [each.given for each in found if stands(each.why)]
        found.append(
            Weighed(given, weigh(given.decision, shown.held, view_of(given, shown, log, persons, groups), before))
        )
    return tuple(found)


def view_of(given: Given, shown: Shown, log: Log, persons: Persons, groups: Groups) -> View:
    """By what a decision is weighed as of when it was sealed."""
    decision = given.decision
    try:
        now = microseconds(decision.at) or 0
    except (ValueError, OverflowError):
        now = shown.until
    proved = recheck(decision, log.said) if decision.method == "ssh" else ()
    return View(broker=shown.entry.broker, now=now, persons=persons, groups=groups, proved=proved)


def standing(shown: Shown, log: Log, persons: Persons, groups: Groups, *, now: int, issued: bool) -> Standing:
    """How a request stands at ``now`` (µs)."""
    every = weighed(shown, log, persons, groups)
    counted = tally((approved_of(each.given, shown.held, each.why) for each in every), shown.asked, shown.digest, now)
    return Standing(shown=shown, state=_state(shown, counted, now, issued=issued), weighed=every, tally=counted)


def _about(shown: Shown, log: Log) -> list[Given]:
    found = (read(said.leaf, said.entry) for said in log.said)
    about = (shown.request.request, shown.entry.broker)
    return [each for each in found if each is not None and (each.decision.request, each.decision.broker) == about]


def _state(shown: Shown, counted: Tally, now: int, *, issued: bool) -> RequestState:
    if issued:
        return RequestState.ISSUED
    if counted.denied is not None:
        return RequestState.REJECTED
    if now >= shown.until:
        return RequestState.LAPSED
    return RequestState.APPROVED if counted.met else RequestState.PENDING
