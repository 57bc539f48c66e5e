"""How people went about it: who asked and approved by which policy, and whether they stayed inside the contract.

What is signed is proved by the signature; what is not is the word of an account. Two people are proved to be two only
where both signed, by different keys and under different names.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from custody.incidents.judging import saying
from custody.incidents.judging.asked import moment_of, said_at
from custody.incidents.judging.outcomes import given_at
from custody.incidents.record.folding import Action, Heard, Incident
from custody.incidents.record.weighing import granted, overdue, reviewed, seconded, unapproved
from custody.incidents.scope.grounds import Grounds, apart, credentials
from custody.incidents.scope.seeds import of_name
from custody.incidents.seen import Outcome
from custody.model.broker_terms import Verdict
from custody.model.contracts import Hours
from custody.model.incident_view import Judged
from custody.model.incidents import ActionKind
from custody.model.times import duration, text
from custody.model.verdicts import Basis, Best, State
from custody.rules.outside_hours import within

WHO = "who asked, who approved, by which policy"
INSIDE = "did the response stay inside the contract"
SIGNATURE = "a signature of the step (--sign-with)"


def who(grounds: Grounds, incident: Incident) -> Judged:
    """Who asked for each action, who approved it, and which policies said so."""
    if not incident.actions:
        return saying.not_applicable(WHO, "nothing was asked for")
    each = [_who(action, grounds.now) for action in incident.actions]
    signed = sum(one.state == State.PROVED for one in each)
    actions = saying.number(len(each), "action is", "actions are")
    told = f"{signed} of {actions} signed by who asked for and approved {'it' if len(each) == 1 else 'them'}"
    return saying.together(WHO, each, told, [one.text for one in each])


def _who(action: Action, now: int) -> Judged:
    request, asked = action.request, action.asked
    grants = counted(action, now)
    by = ", ".join(each.author for each in grants) or "nobody"
    policies = ", ".join(each.id for each in request.decision.policies) or request.decision.why or "no policy"
    told = f"{request.kind} {action.id}: asked by {asked.author}, {request.decision.verdict} by {policies}"
    told += f", approved by {by}"
    leaves = [asked.leaf, *(each.leaf for each in grants)]
    if action.overruled:
        told += f"; what the policies said is not believed: {action.overruled}"
        return saying.unproven(WHO, told, Best.CLAIMED, leaves)
    if any(each.signature is None for each in (asked, *grants)):
        return saying.unproven(WHO, told, Best.CLAIMED, leaves, SIGNATURE)
    return saying.proved(WHO, told, Basis.OBSERVED, leaves)


def counted(action: Action, now: int) -> tuple[Heard, ...]:
    """The grants that stood when it was done for the first time, else those that stand now."""
    first = action.done[0] if action.done else None
    return granted(action, now if first is None else first.at, first)


def inside(grounds: Grounds, incident: Incident, outcomes: Sequence[Outcome]) -> Judged:
    """Approved before it was done, by other people, bound in time, within hours: of every action that was done."""
    done = [each for each in incident.actions if each.done]
    if not done:
        return saying.not_applicable(INSIDE, "nothing was done")
    of = {each.action: each for each in outcomes}
    each = [one for action in done for one in _inside(grounds, action, of.get(action.id))]
    good = sum(one.state == State.PROVED for one in each)
    demands, kept = saying.number(len(each), "demand"), "is" if len(each) == 1 else "are"
    told = f"{good} of {demands} on {saying.number(len(done), 'action')} {kept} proved to be kept"
    bad = [one.text for one in each if one.state == State.VIOLATED]
    return saying.together(INSIDE, each, "; ".join(bad[:4]) or told, [f"{one.state}: {one.text}" for one in each])


def _inside(grounds: Grounds, action: Action, outcome: Outcome | None) -> Iterator[Judged]:
    yield _approved(grounds, action, outcome)
    yield from _people(action, grounds.now)
    if action.request.break_glass:
        yield from _break_glass(action, grounds.now)
    if action.request.kind is ActionKind.EMERGENCY:
        yield _bounded(action, outcome)
    yield from _hours(grounds, action, outcome)


def _approved(grounds: Grounds, action: Action, outcome: Outcome | None) -> Judged:
    now = grounds.now
    name = f"{action.request.kind} {action.id}"
    for done in action.done:
        why = unapproved(action, done)
        if why and not (action.request.break_glass and why == "it was done as break-glass"):
            return saying.violated(INSIDE, f"{name} was done without approval: {why}", [action.asked.leaf, done.leaf])
    leaves = [action.asked.leaf, *(each.leaf for each in counted(action, now)), *(each.leaf for each in action.done)]
    first = None if outcome is None else outcome.first_at
    after, margin = _after(action, now, first), _margin(grounds, outcome)
    if first is not None and after < -margin:
        told = f"{name}: the logs show a change at {text(first)}, before it was approved or asked for"
        return saying.unproven(INSIDE, told, Best.INDICATED, leaves)
    if action.request.break_glass and unapproved(action, action.done[0]):
        return saying.proved(INSIDE, f"{name} was done as break-glass, as the policies allow", Basis.OBSERVED, leaves)
    if any(each.signature is None for each in action.done):
        told = f"{name} was approved before it is said to be done; when it was done is the word of an account"
        return saying.unproven(INSIDE, told, Best.CLAIMED, leaves, SIGNATURE)
    if first is None:
        told = f"{name} was approved before it is said to be done; no log that was read shows when it was"
        return saying.unproven(INSIDE, told, Best.CLAIMED, leaves, "the log of the system where it was done")
    if after < margin:
        told = (
            f"{name}: the logs show it at {text(first)}, {duration(abs(after))} {'after' if after >= 0 else 'before'}"
        )
        told += f" it was approved or asked for, and the clocks may be {duration(margin)} apart"
        return saying.unproven(INSIDE, told, Best.CLAIMED, leaves, "clocks that are compared")
    return saying.proved(INSIDE, f"{name} was approved before it was done", Basis.OBSERVED, leaves)


def _after(action: Action, now: int, first: int | None) -> int:
    """How long after it was approved, else asked for, the logs show that it was done (µs); below 0: before that."""
    allowed = max((each.at for each in counted(action, now)), default=action.asked.at)
    return 0 if first is None else first - allowed


def _margin(grounds: Grounds, outcome: Outcome | None) -> int:
    """By how much the clock of the log that shows it may differ from the one that the approval is dated by (µs)."""
    known = None if outcome is None else outcome.first_apart
    return apart(grounds, ()) if known is None else known


def _people(action: Action, now: int) -> Iterator[Judged]:
    """That who approved is somebody else than who asked, than who did it, and than each other."""
    grants = counted(action, now)
    name = f"{action.request.kind} {action.id}"
    if not grants:
        if action.request.decision.verdict is Verdict.APPROVAL and not action.request.break_glass:
            yield saying.violated(INSIDE, f"{name}: nobody else approved it", [action.asked.leaf])
        return
    takers = (action.asked, *action.done)
    leaves = [each.leaf for each in (*takers, *grants)]
    pairs = [*itertools.product(takers, grants), *itertools.combinations(grants, 2)]
    same = next((pair for pair in pairs if _same(*pair)), None)
    if same is not None:
        told = f"{name}: {same[0].author} and {same[1].author} have one key or name"
        yield saying.violated(INSIDE, told, leaves)
    elif any(each.signature is None for each in (*takers, *grants)):
        told = f"{name}: who asked for it or did it signed nothing, and may be whoever uses the account"
        yield saying.unproven(INSIDE, told, Best.CLAIMED, leaves, SIGNATURE)
    else:
        told = f"{name}: approved by {', '.join(each.author for each in grants)}, who did not ask for it or do it"
        yield saying.proved(INSIDE, told, Basis.OBSERVED, leaves)


def _same(one: Heard, other: Heard) -> bool:
    """Whether two steps are signed by one key or under one name."""
    if one.signature is None or other.signature is None:
        return False
    names = {name.casefold() for name in one.signature.principals}
    return one.signature.key == other.signature.key or bool(
        names & {name.casefold() for name in other.signature.principals}
    )


def _break_glass(action: Action, now: int) -> Iterator[Judged]:
    name, late = f"{action.request.kind} {action.id}", overdue(action, now)
    for what, by, there in (
        ("second person", action.request.second_by, seconded(action)),
        ("review", action.request.review_by, reviewed(action)),
    ):
        due = moment_of(by)
        if due is None:
            yield saying.violated(INSIDE, f"{name}: break-glass without a limit for the {what}", [action.asked.leaf])
        elif there is not None and there.at <= due:
            told = f"{name}: {what} in time, by {there.author}"
            yield saying.proved(INSIDE, told, Basis.OBSERVED, [action.asked.leaf, there.leaf])
        elif what in late or there is not None:
            yield saying.violated(INSIDE, f"{name}: no {what} by {text(due)}", [action.asked.leaf])
        else:
            yield saying.still_open(INSIDE, f"{name}: {what} is due by {text(due)}", [action.asked.leaf])


def _bounded(action: Action, outcome: Outcome | None) -> Judged:
    """That access was given for a time, and ended by it."""
    name, leaf = f"{action.request.kind} {action.id}", action.asked.leaf
    if moment_of(action.request.until) is None:
        return saying.violated(INSIDE, f"{name}: access without an end", [leaf])
    if outcome is None:
        return saying.unproven(INSIDE, f"{name}: whether it ended in time was not looked at", leaves=[leaf])
    found = outcome.judged
    return saying.together(INSIDE, [found], f"{name}, until {action.request.until}: {found.text}", [found.text])


def _hours(grounds: Grounds, action: Action, outcome: Outcome | None) -> Iterator[Judged]:
    """That access was given within the hours of the class of who got it. To end access no hour is wrong.

    The hours are those of the contract that held then. When it was is for the logs to say: what people say of it, and
    when they said it, proves nothing alone.
    """
    if action.request.kind not in (ActionKind.EMERGENCY, ActionKind.ENABLE):
        return
    of = {name: of_name(grounds, name) for name in action.request.targets}
    known = credentials(grounds.engine, (key for keys in of.values() for key in keys))
    classes = {name: {known[key].identity_class for key in keys if key in known} for name, keys in of.items()}
    given = action.request.kind is ActionKind.EMERGENCY
    logged = {name: given_at(grounds, action, name) if given else [] for name in of}
    margin = _margin(grounds, outcome)
    for done in action.done:
        hours = {each.name: each.hours for each in grounds.versions.at(done.at).classes if each.hours is not None}
        for name in of:
            told = f"{action.request.kind} {action.id}: sealed at {text(done.at)}"
            if hours and not classes[name]:
                what = f"{told}, and no credential of {name} was read: its class is not known"
                yield saying.unproven(INSIDE, what, leaves=[done.leaf])
            for label in sorted(hours.keys() & classes[name]):
                yield _at_hours(f"{told}, {name}, class {label}", hours[label], done, logged[name], margin)


def _at_hours(told: str, hours: Hours, done: Heard, logged: Sequence[int], margin: int) -> Judged:
    """By when the logs show it (``logged``, µs), whose clock may be ``margin`` off; else by what is said, and sealed.

    That it was said at night is no proof that it was done at night, nor at noon that it was done at noon.
    """
    words = {within(hours, done.at), within(hours, said_at(done))}
    near = {within(hours, each + off) for each in logged for off in (-margin, 0, margin)}
    if words == {False} and near <= {False}:
        return saying.violated(INSIDE, f"{told}, outside of its hours", [done.leaf])
    if words | near == {True} and logged:
        return saying.proved(INSIDE, f"{told}, within its hours", Basis.OBSERVED, [done.leaf])
    if words == {True} and not logged:
        why = f"{told}, within its hours; no log that was read shows when it was done"
        return saying.unproven(INSIDE, why, Best.CLAIMED, [done.leaf], "the log of the system where it was done")
    times = [f"said to be done at {text(said_at(done))}", *(f"logged at {text(each)}" for each in logged[:4])]
    why = f"{told}, {', '.join(times)}; not all of that is within its hours"
    return saying.unproven(INSIDE, why, Best.INDICATED, [done.leaf])
