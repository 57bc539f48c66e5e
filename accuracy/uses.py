"""What is told of uses, held against every call that truly succeeded, whether or not a record of it was delivered.

*Wrong* is a success that never was, a time beyond what the clock of the log is wrong by, a thing that nothing touched.
What happened and is not told is *not known*.
"""

from __future__ import annotations

from collections.abc import Iterator

from accuracy.counted import RIGHT, UNKNOWN, WRONG, Counted, Truly
from accuracy.planted_incidents import NEVER, Case, over
from custody.incidents.seen import Outcome, Reached
from custody.pipeline.incidents.judging import Evidence
from custody.simulation.truth import Credential

SECOND = 1_000_000
"""The coarsest resolution of a log of the estate (µs)."""
FIRST, LAST, AFTER = "incident: first success", "incident: last success", "incident: last success after it"
THINGS = "incident: touched"


def count(case: Case, evidence: Evidence, truly: Truly, where: str, counted: Counted) -> None:
    """Add what the evidence about one incident says of uses."""
    inside = [each for each in evidence.scope.credentials if each.join == "exact" and not each.apart]
    family = {each.key: each for each in case.family}
    for each in inside:
        own = family.get(truly.name(each.key))
        if own is not None:
            _times(each, own, truly.skew(own.key), f"{where}: {own.key}", counted)
    for outcome in evidence.outcomes:
        _after(case, outcome, truly, where, counted)
    if not evidence.scope.cut_off:
        _touched(case, evidence, truly, where, counted)


def _times(told: Reached, true: Credential, skew: int, where: str, counted: Counted) -> None:
    """The first and the last success of one credential: never sooner, never later than they were."""
    uses, room = true.uses, skew + SECOND
    first, last = (None, None) if uses is None else (uses.first, uses.last)
    for question, said, truth, sign in ((FIRST, told.first_success, first, -1), (LAST, told.last_success, last, 1)):
        counted.add(question, held_against(said, truth, sign, room), f"{where}: {said}, not {truth}")


def held_against(said: int | None, true: int | None, sign: int, room: int) -> str:
    """Wrong: beyond the truth (``sign``: to which side). Within it, what is not as far as the truth is not known."""
    if said is None:
        return RIGHT if true is None else UNKNOWN
    if true is None or (said - true) * sign > room:
        return WRONG
    return RIGHT if abs(said - true) <= room else UNKNOWN


def _after(case: Case, outcome: Outcome, truly: Truly, where: str, counted: Counted) -> None:
    """The last success after the end, or after it is said to be done where nothing ended it."""
    told = outcome.last_success_after
    room = max((truly.skew(each.key) for each in case.family), default=0) + SECOND
    every = [each.uses.last for each in case.family if each.uses is not None]
    true = [last for each in case.family if (last := _late(case, each)) is not None]
    late = max((last for last in every if last >= min(case.done, case.asked) - room), default=None)
    if told is None:
        kind = UNKNOWN if true else RIGHT
    elif late is None or told > late + room or not any(_may_be(case, each, told, room) for each in case.family):
        kind = WRONG
    else:
        kind = RIGHT if true and abs(told - max(true)) <= room else UNKNOWN
    counted.add(AFTER, kind, f"{where}: {told}, not {max(true, default=None)}")


def _late(case: Case, each: Credential) -> int | None:
    """The last success of a credential where that came after its end, or after it is said to be done."""
    end = over(each)
    since = case.done if end is None else end
    return each.uses.last if each.uses is not None and each.uses.last > since else None


def _may_be(case: Case, each: Credential, told: int, room: int) -> bool:
    """Whether a credential truly worked then or later, and after its end by then, as far as its clock tells."""
    end = over(each)
    known = case.done if end is None or end > told else end
    return each.uses is not None and each.uses.last >= told - room and told + room >= min(known, NEVER)


def _touched(case: Case, evidence: Evidence, truly: Truly, where: str, counted: Counted) -> None:
    """Each thing that a credential of the target's family is said to have done something to, or truly did."""
    family = {each.key: each for each in case.family}
    sure = {each.key for each in evidence.scope.credentials if each.join == "exact" and not each.apart}
    told = {
        (truly.name(each.by), each.what, truly.name(each.name))
        for each in evidence.scope.touched
        if each.by in sure and each.outcome == "success"
    }
    true = {(key, what, name) for key, each in family.items() for what, name in _things(each, truly)}
    below = {(key, what, name) for key, what, name in true if what == "key" and name in family}
    for key, what, name in sorted(told | (true - below)):
        kind = RIGHT if (key, what, name) in told & true else UNKNOWN if (key, what, name) in true else WRONG
        counted.add(f"{THINGS}: {what}", kind, f"{where}: {what} {name} by {key}")


def _things(each: Credential, truly: Truly) -> Iterator[tuple[str, str]]:
    for what, names in each.touched.items():
        for name in names:
            yield what, truly.name(name)
