"""What became of each action: whether the target's own log shows its effect.

contain and revoke: every credential of the targets, and all that exactly descends from them and lived when it was asked
or later, was ended. rotate: a new credential was issued for each identity since, and the old ones ended. narrow: what
a principal may do was taken away since. emergency access: it was given since, and ended by its time. re-enable: its
checklist (``incidents.checklist``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from custody.chains.search import LIMIT
from custody.incidents import endings, giving, saying
from custody.incidents.endings import Asking, Facts
from custody.incidents.giving import Times
from custody.incidents.grounds import MOST, SKEW, Credential, Grounds, credentials, descendants, refs, sessions
from custody.incidents.record import Action, Heard, Incident, Where
from custody.incidents.seeds import of_name
from custody.incidents.seen import Judged, Outcome, Scope
from custody.incidents.weighing import where
from custody.model.incidents import ActionKind, Done
from custody.model.times import microseconds, text
from custody.model.verdicts import Best, State

NEVER_DONE = (Where.DENIED, Where.LAPSED, Where.SETTLED)


class Targets(msgspec.Struct, frozen=True, kw_only=True):
    """What an action is about: the credentials of each target, and all of these with their exact descendants.

    ``nobody`` are targets of which no credential was read; ``cut_off`` says that there are more than are looked at.
    ``later`` are credentials that a target got since it was asked, and that do not descend from what it had.
    """

    of: dict[str, tuple[str, ...]]
    members: tuple[str, ...]
    nobody: tuple[str, ...]
    cut_off: bool
    later: tuple[Credential, ...] = ()


def outcomes(grounds: Grounds, incident: Incident, scope: Scope | None = None) -> tuple[Outcome, ...]:
    """The outcome of every action in the order of asking; of ``re-enable`` it stays open (see ``enabled``).

    What was done with a credential that descends from those that the incident starts with (``scope``) is nobody's
    answer to the incident: it gives, renews and takes away nothing.
    """
    tainted = descended(scope)
    return tuple(_outcome(grounds, incident, each, tainted) for each in incident.actions)


def descended(scope: Scope | None) -> frozenset[str]:
    """The credentials that were got or made with those that an incident starts with."""
    every = () if scope is None else scope.credentials
    return frozenset(each.key for each in every if each.depth and not each.apart)


def enabled(outcome: Outcome, listed: Sequence[Judged]) -> Outcome:
    """The outcome of a ``re-enable``, by the items of its checklist."""
    question = outcome.judged.question
    if not listed:
        judged = saying.unproven(question, "no item of the checklist belongs to its targets")
    else:
        judged = saying.together(question, listed, parts=[f"{each.question}: {each.state}" for each in listed])
    return msgspec.structs.replace(outcome, judged=judged)


def targets(grounds: Grounds, action: Action) -> Targets:
    """What the targets of an action mean: those that were known before it was asked, and all below them."""
    of = {name: tuple(of_name(grounds, name)) for name in action.request.targets}
    every = sorted({key for keys in of.values() for key in keys})
    known = credentials(grounds.engine, every[:MOST])
    before = [key for key, each in known.items() if _before(each, action.asked.at)]
    alive = [key for key in before if _lived(known[key], action.asked.at)] or before
    below = descendants(grounds.engine, alive)
    found = credentials(grounds.engine, below)
    members = [key for key, each in found.items() if key in alive or _lived(each, action.asked.at)]
    nobody = tuple(name for name, keys in of.items() if not set(keys) & set(known))
    later = [each for key, each in known.items() if key not in before and key not in below and key not in of]
    return Targets(
        of=of,
        members=tuple(members),
        nobody=nobody,
        cut_off=len(every) > MOST or len(below) >= MOST or any(len(keys) == LIMIT for keys in of.values()),
        later=tuple(later),
    )


def done_at(action: Action) -> int | None:
    """When it is said to have been done for the last time (µs), by the word of who did it; None: nobody says so."""
    return max((said_at(each) for each in action.done), default=None)


def said_at(heard: Heard) -> int:
    """When somebody says that they did it (µs); where that cannot be read, when they said so."""
    told = moment_of(heard.step.at) if isinstance(heard.step, Done) else None
    return heard.at if told is None else told


def asking(incident: Incident, action: Action) -> Asking:
    """The times that the end of a target is held against."""
    again = [
        each.asked.at
        for each in incident.actions
        if each.request.kind is ActionKind.ENABLE
        and each.asked.at >= action.asked.at
        and set(each.request.targets) & set(action.request.targets)
    ]
    return Asking(asked=action.asked.at, done=done_at(action), again=min(again, default=None))


def times_of(action: Action) -> Times:
    """The times of an action that gives or takes."""
    return Times(asked=action.asked.at, done=done_at(action), until=moment_of(action.request.until))


def moment_of(told: str | None) -> int | None:
    """A time that somebody wrote (µs), None where there is none or it cannot be read."""
    try:
        return microseconds(told)
    except (ValueError, OverflowError):
        return None


def facts(grounds: Grounds, keys: Iterable[str]) -> Facts:
    """What the records tell of the ends of ``keys``."""
    found = credentials(grounds.engine, keys)
    grounds.attach([*found, *sorted({each.subject for each in found.values() if each.subject})])
    return Facts(
        credentials=found,
        verdicts=endings.verdicts(grounds.engine, found),
        last=endings.last_successes(grounds.engine, found),
        activations=endings.activations(grounds.engine, found),
        sessions=sessions(grounds.engine, found),
    )


def _outcome(grounds: Grounds, incident: Incident, action: Action, tainted: frozenset[str]) -> Outcome:
    question = f"{action.request.kind} {action.id}"
    meant = targets(grounds, action)
    tainted = tainted | frozenset(meant.members)
    match action.request.kind:
        case ActionKind.CONTAIN | ActionKind.REVOKE:
            found = _ended(grounds, question, meant, asking(incident, action), action, _since(incident, action))
        case ActionKind.ROTATE:
            found = _rotated(grounds, question, meant, asking(incident, action), action, tainted)
        case ActionKind.NARROW:
            names = _principals(grounds, meant)
            found = _of(action, question, giving.narrowed(grounds, question, names, times_of(action), tainted))
        case ActionKind.EMERGENCY:
            names, keys = _principals(grounds, meant), [name for name in meant.of if ":" in name]
            found = _of(action, question, giving.given(grounds, question, keys, names, times_of(action), tainted))
        case ActionKind.ENABLE:
            judged = saying.still_open(question, "its checklist was not looked at")
            found = Outcome(action=action.id, judged=judged)
    return _settled(grounds, action, found)


def _of(action: Action, question: str, each: Sequence[Judged]) -> Outcome:
    if not each:
        each = [saying.unproven(question, "no principal of its targets was read")]
    return Outcome(action=action.id, judged=saying.together(question, each, parts=_parts(each)))


def _settled(grounds: Grounds, action: Action, found: Outcome) -> Outcome:
    """What will never be done is not open; what was seen all the same stays as it is."""
    never = where(action, grounds.now) in NEVER_DONE and not action.done
    if not never or found.judged.state != State.OPEN or action.request.kind is ActionKind.ENABLE:
        return found
    why = f"{where(action, grounds.now)}, and nobody says that it was done"
    return msgspec.structs.replace(found, judged=saying.not_applicable(found.judged.question, why))


def _ended(
    grounds: Grounds, question: str, meant: Targets, times: Asking, action: Action, renewing: int | None = 0
) -> Outcome:
    known = facts(grounds, meant.members)
    each = [endings.ending(question, known, key, times) for key in sorted(known.credentials)]
    each += [_nobody(question, name, times) for name in meant.nobody]
    each += _later(question, meant, renewing)
    if meant.cut_off:
        each.append(saying.unproven(question, f"there are more than {MOST} credentials to look at"))
    if not each:
        each.append(_nobody(question, ", ".join(action.request.targets), times))
    judged = saying.together(question, each, parts=_parts(each))
    ends = [found.over for found in known.credentials.values()]
    records = [found.ended for found in known.credentials.values() if found.ended is not None]
    whole = judged.state == State.PROVED
    return Outcome(
        action=action.id,
        judged=judged,
        observed_at=max((end for end in ends if end is not None), default=None) if whole else None,
        last_success_after=_last_after(known, times),
        surviving=endings.surviving(known),
        first_at=min(records, default=None),
    )


def _since(incident: Incident, action: Action) -> int | None:
    """From when on (µs) somebody asked that the targets get new credentials, None: nobody did."""
    kinds = (ActionKind.ROTATE, ActionKind.ENABLE, ActionKind.EMERGENCY)
    names = set(action.request.targets)
    times = [each.asked.at for each in incident.actions
             if each.request.kind in kinds and names & set(each.request.targets)]  # fmt: skip
    return min(times, default=None)


def _later(question: str, meant: Targets, renewing: int | None) -> list[Judged]:
    """Credentials that a target which is a name got after it was asked, though nobody asked for new ones.

    The holder may have them, or whoever it was that had to be shut out: so the end of the old ones is not the answer.
    """
    found = [each for each in meant.later if renewing is None or (each.since or 0) < renewing - SKEW]
    return [
        saying.unproven(
            question,
            f"{each.key} of it was issued at {text(each.since)}, after it was asked, and nobody asked for a new one",
            Best.INDICATED,
            refs(each.issue_leaf, each.first_use_leaf),
        )
        for each in found
    ]


def _rotated(
    grounds: Grounds, question: str, meant: Targets, times: Asking, action: Action, tainted: frozenset[str]
) -> Outcome:
    """A new credential and no old one: each is needed, and the worse of both is the answer."""
    old = _ended(grounds, question, meant, times, action)
    new = giving.renewed(grounds, question, meant.of, times_of(action), tainted)
    judged = saying.together(question, [old.judged, *new], parts=[*old.judged.parts, *_parts(new)])
    observed = old.observed_at if judged.state == State.PROVED else None
    return msgspec.structs.replace(old, judged=judged, observed_at=observed)


def _nobody(question: str, name: str, times: Asking) -> Judged:
    told = f"no credential of {name} was read"
    if times.done is None:
        return saying.unproven(question, told, settles="the log of the system that issues or checks it")
    settles = "the log of the system that issues or checks it"
    return saying.unproven(question, f"{told}; it is said to be done", Best.CLAIMED, settles=settles)


def _parts(each: Sequence[Judged]) -> list[str]:
    """Each credential in a line, what is worst first; at most a hundred."""
    rank = [State.VIOLATED, State.OPEN, State.UNPROVEN, State.PROVED, State.NOT_APPLICABLE]
    lines = sorted(each, key=lambda one: (rank.index(State(one.state)), one.text))
    return [f"{one.state}: {one.text}" for one in lines[:100]]


def _last_after(known: Facts, times: Asking) -> int | None:
    """The last success (µs) after its end, else after it is said to be done, else after it was asked for."""
    found = []
    for key, (time, _) in known.last.items():
        over = known.credentials[key].over
        since = over if over is not None else times.done if times.done is not None else times.asked
        if time > since:
            found.append(time)
    return max(found, default=None)


def _before(each: Credential, asked: int) -> bool:
    return each.since is None or each.since <= asked + SKEW


def _lived(each: Credential, asked: int) -> bool:
    """Whether it could still be used when it was asked, or since."""
    return each.over is None or each.over > asked - SKEW


def _principals(grounds: Grounds, meant: Targets) -> tuple[str, ...]:
    """The principals that the targets are, or that their credentials speak for."""
    keys = [key for keys in meant.of.values() for key in keys]
    found = credentials(grounds.engine, keys[:MOST]).values()
    own = {name for name in meant.of if ":" in name}
    return tuple(sorted({each.subject for each in found if each.subject} | own))
