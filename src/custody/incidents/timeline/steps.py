"""The steps of an incident as lines of its timeline: a lane for each person, what they say as what they said.

The time of a step is that of the machine that sealed it, and it was known from then on. What somebody says they did
stands at the time that they name, and was known when it was sealed: acting first and telling later is seen as that.
"""

from __future__ import annotations

from collections.abc import Iterator

from custody.incidents.record.folding import Heard, Incident
from custody.incidents.record.weighing import WHY, unapproved
from custody.incidents.seen import Moment
from custody.model.incidents import (
    Asked,
    Claimed,
    Closed,
    Decided,
    Done,
    Noted,
    Opened,
    Reopened,
    Reviewed,
    Settled,
    Step,
    Vouched,
    Widened,
)
from custody.model.times import microseconds

MINUTE = 60_000_000
WILD = "without approval"
TOLD = (Done, Claimed, Noted)
"""Steps that are about something else than themselves: a signature says who says it, not that it is so."""
VERDICTS = {"grant": "approves", "deny": "denies", "withdraw": "takes back the approval of"}
KINDS = {"grant": "approve", "deny": "deny", "withdraw": "withdraw"}


def steps(incident: Incident) -> list[Moment]:
    """A line for each step of both logs, those that change nothing included, and one for when people came to know."""
    why = _why_not(incident)
    odd = {each.heard.leaf: each.why for each in incident.odd}
    found = [_moment(heard, incident, why.get(heard.leaf, "")) for heard in incident.heard]
    found += [_moment(each.heard, incident, f"changes nothing: {odd[each.heard.leaf]}") for each in incident.odd]
    return [*_aware(incident), *found]


def _why_not(incident: Incident) -> dict[object, str]:
    """Decisions and reviews that do not count, and what was done without approval, each with why."""
    weighed = (each for action in incident.actions for each in (*action.decisions, *action.reviews))
    found: dict[object, str] = {}
    for each in weighed:
        if each.why and each.why != "withdraws":
            found[each.heard.leaf] = f"does not count: {why_said(each.why)}"
    for action in incident.actions:
        for done in action.done:
            if why := unapproved(action, done):
                found[done.leaf] = f"{WILD}: {why}"
    return found


def why_said(why: str) -> str:
    """In words why a decision or review does not count; a word that is not known stands as it is."""
    word, _, more = why.partition(": ")
    return f"{WHY.get(word, word)}{f' ({more})' if more else ''}"


def _aware(incident: Incident) -> Iterator[Moment]:
    """When people say they came to know, where that is another time than that of the opening."""
    moment = time_of(incident.opening.aware)
    if moment is not None and abs(moment - incident.opened.at) >= MINUTE:
        yield _line(incident.opened, moment, "aware", "came to know of it", grade="said")


def _moment(heard: Heard, incident: Incident, why: str) -> Moment:
    step = heard.step
    kind, words = told(step, incident)
    at = (time_of(step.at) if isinstance(step, Done) else None) or heard.at
    grade = "exact" if heard.signature is not None and not isinstance(step, TOLD) else "said"
    line = f"{words} ({why})" if why else words
    wild = isinstance(step, Done) and why.startswith(WILD)
    outcome = ("unapproved" if wild else "void") if why else "success"
    return _line(heard, at, kind, line, grade=grade, outcome=outcome)


def _line(heard: Heard, at: int, kind: str, words: str, *, grade: str, outcome: str = "success") -> Moment:
    action: object = getattr(heard.step, "action", "")
    return Moment(
        at=at,
        known=heard.at,
        lane=heard.author,
        kind=kind,
        text=words,
        leaf=heard.leaf,
        grade=grade,
        who=heard.author,
        outcome=outcome,
        party="person",
        asserter="account" if heard.signature is None else "signed",
        action=action if isinstance(action, str) else "",
    )


def time_of(written: str | None) -> int | None:
    """The time (µs) that a step names; None where it cannot be read: what is sealed may say anything."""
    try:
        return microseconds(written)
    except (ValueError, TypeError, OverflowError):
        return None


def told(step: Step, incident: Incident) -> tuple[str, str]:
    """The kind of line that a step is, and what it says in words."""
    match step:
        case Opened():
            return "opened", f"opens the incident ({step.severity.value}): {step.title}; {step.reason}"
        case Widened():
            return "widened", f"widens it by {', '.join(each.value for each in step.seeds)}: {step.reason}"
        case Noted():
            return "noted", f"notes: {step.text}"
        case Asked():
            glass = " as break-glass, without waiting" if step.break_glass else ""
            return "request", f"asks to {step.kind.value} {', '.join(step.targets)}{glass}: {step.reason}"
        case Claimed():
            return "claimed", f"claims for {step.identity}: {step.item.value}; {step.reason}"
        case Vouched():
            return "vouched", f"signs that {step.identity} may work again: {step.reason}"
        case Closed():
            return "closed", f"closes the incident: {step.reason}"
        case Reopened():
            return "reopened", f"opens it again: {step.reason}"
    return _of_action(step, incident)


def _of_action(step: Decided | Reviewed | Done | Settled, incident: Incident) -> tuple[str, str]:
    action = incident.action(step.action)
    what = step.action
    if action is not None:
        what = f"{action.request.kind.value} {', '.join(action.request.targets)}"
    match step:
        case Decided():
            return KINDS[step.verdict], f"{VERDICTS[step.verdict]} {what}: {step.reason}"
        case Reviewed():
            return "reviewed", f"reviews {what}: {step.verdict.replace('-', ' ')}; {step.reason}"
        case Settled():
            return "settled", f"settles {what} as {step.how}: {step.reason}"
    by = "through the broker" if step.how == "broker" else "in another system"
    more = f"; {step.told}" if step.told else ""
    return "done", f"says to have done {what} {by}: {'; '.join(step.did)}{more}"
