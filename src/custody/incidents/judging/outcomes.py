"""What became of each action: whether the target's own log shows its effect.

contain and revoke: every credential of the targets, and all that exactly descends from them and lived when it was asked
or later, was ended. contain: so was every key that was made with them. rotate: a new credential was issued for each
identity since, and the old ones ended. narrow: what a principal may do was taken away since. emergency access: it was
given since, and ended by its time. re-enable: its checklist (``incidents.checklist``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from custody.chains.search import LIMIT
from custody.incidents.judging import endings, giving, made, saying
from custody.incidents.judging.asked import asked_for, asking, times_of
from custody.incidents.judging.endings import Asking, Facts, Window
from custody.incidents.record.folding import Action, Incident, Where
from custody.incidents.record.weighing import where
from custody.incidents.scope.grounds import MOST, SKEW, Credential, Grounds, credentials, descendants, refs, sessions
from custody.incidents.scope.seeds import of_name
from custody.incidents.seen import Outcome, Scope
from custody.model.incident_view import Judged
from custody.model.incidents import ActionKind
from custody.model.times import text
from custody.model.verdicts import Best, State

NEVER_DONE = (Where.DENIED, Where.LAPSED, Where.SETTLED)


class Targets(msgspec.Struct, frozen=True, kw_only=True):
    """What an action is about: the credentials of each target, and all of these with their exact descendants.

    ``nobody`` are targets of which no credential was read; ``cut_off`` says that there are more than are looked at.
    ``later`` are credentials that a target got since it was asked, and that do not descend from what it had; ``below``
    is all that it had and that descends from it, whether it could be used when it was asked or not.
    """

    of: dict[str, tuple[str, ...]]
    members: tuple[str, ...]
    nobody: tuple[str, ...]
    cut_off: bool
    later: tuple[Credential, ...] = ()
    below: frozenset[str] = frozenset()


def outcomes(grounds: Grounds, incident: Incident, scope: Scope | None = None) -> tuple[Outcome, ...]:
    """The outcome of every action in the order of asking; of ``re-enable`` it stays open (see ``enabled``).

    What was done with a credential that descends from those that the incident starts with (``scope``) is nobody's
    answer to the incident: it gives, renews and takes away nothing.
    """
    every = () if scope is None else scope.credentials
    inside = frozenset(each.key for each in every if not each.apart)
    tainted = descended(scope)
    return tuple(_outcome(grounds, incident, each, tainted, inside) for each in incident.actions)


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
    before = [key for key, each in known.items() if _named(key, of) or _before(each, action.asked.at)]
    below = descendants(grounds.engine, before)
    found = credentials(grounds.engine, below)
    lasting = _lasting(grounds, found, action.asked.at)
    lived = {key for key, each in found.items() if key in lasting or _lived(each, action.asked.at)}
    members = [key for key in found if key in lived or (key in before and not lived.intersection(before))]
    nobody = tuple(name for name, keys in of.items() if not set(keys) & set(known))
    later = [each for key, each in known.items() if key not in before and key not in below]
    return Targets(
        of=of,
        members=tuple(members),
        nobody=nobody,
        cut_off=len(every) > MOST or len(below) >= MOST or any(len(keys) == LIMIT for keys in of.values()),
        later=tuple(later),
        below=frozenset(below),
    )


def facts(grounds: Grounds, keys: Iterable[str]) -> Facts:
    """What the records tell of the ends of ``keys``."""
    found = credentials(grounds.engine, keys)
    opened = sessions(grounds.engine, found)
    subjects = {each.subject for each in found.values() if each.subject}
    grounds.attach([*found, *sorted({*subjects, *(each.session for each in opened)})])
    leaves = [*(each.end_leaf for each in found.values()), *(each.close_leaf for each in opened)]
    again = endings.activations(grounds.engine, found)
    return Facts(
        sources=endings.sources(grounds.engine, leaves),
        credentials=found,
        verdicts=endings.verdicts(grounds.engine, found),
        last=endings.last_successes(grounds.engine, found),
        activations=again,
        actors=endings.actors(grounds.engine, (leaf for each in again.values() for _, leaf in each)),
        sessions=opened,
        apart=endings.clocks(grounds, found),
    )


def over_by_now(grounds: Grounds, action: Action) -> bool:
    """Whether every credential of an action is over as of the records, with all that outlived its end."""
    meant = targets(grounds, action)
    known = facts(grounds, meant.members)
    if meant.nobody or meant.later or meant.cut_off or not known.credentials:
        return False
    if action.request.kind is ActionKind.CONTAIN and _made(grounds, "", meant, ()).left:
        return False
    proved = (key for key, each in known.verdicts.items() if each.state is State.PROVED)
    over = {key for key in proved if known.credentials[key].over is not None}
    return all(key in over or endings.late_but_over(known, key) for key in known.credentials)


def _outcome(
    grounds: Grounds, incident: Incident, action: Action, tainted: frozenset[str], inside: frozenset[str]
) -> Outcome:
    question = f"{action.request.kind} {action.id}"
    meant = targets(grounds, action)
    strangers, tainted = tainted | inside, tainted | frozenset(meant.members)
    times = asking(grounds, incident, action, meant.of, strangers)
    match action.request.kind:
        case ActionKind.CONTAIN | ActionKind.REVOKE:
            found = _ended(grounds, question, meant, times, action, tainted, asked_for(incident, action))
        case ActionKind.ROTATE:
            found = _rotated(grounds, question, meant, times, action, tainted)
        case ActionKind.NARROW:
            found = _narrowed(grounds, question, meant, times, action, tainted | inside)
        case ActionKind.EMERGENCY:
            found = _given(grounds, question, meant, times, action, tainted | inside)
        case ActionKind.ENABLE:
            judged = saying.still_open(question, "its checklist was not looked at")
            found = Outcome(action=action.id, judged=judged)
    return _settled(grounds, action, found)


def _narrowed(
    grounds: Grounds, question: str, meant: Targets, times: Asking, action: Action, tainted: frozenset[str]
) -> Outcome:
    of = {target: _principals(grounds, keys, target) for target, keys in meant.of.items()}
    names = [one for every in of.values() for one in every]
    each = giving.narrowed(grounds, question, names, times_of(action), tainted)
    for name in (name for name, every in of.items() if not every):
        each.append(_nobody(question, name, times, "credential" if name in meant.nobody else "principal"))
    return _of(action, question, each, giving.first_taken(grounds, names, times_of(action), tainted))


def _given(
    grounds: Grounds, question: str, meant: Targets, times: Asking, action: Action, tainted: frozenset[str]
) -> Outcome:
    """Of every target: what one of them got is not what another got."""
    each: list[Judged] = []
    first: list[int] = []
    for name, own in meant.of.items():
        names, keys = _principals(grounds, own, name), [name] if ":" in name else []
        if not names:
            each.append(_nobody(question, name, times))
            continue
        each += giving.given(grounds, question, keys, names, times_of(action), tainted)
        first += giving.times_given(grounds, keys, names, times_of(action), tainted)
    return _of(action, question, each, min(first, default=None))


def given_at(grounds: Grounds, action: Action, name: str) -> list[int]:
    """When a target was given access since it was asked, by the logs (µs), whoever gave it."""
    keys, names = [name] if ":" in name else [], _principals(grounds, of_name(grounds, name), name)
    return giving.times_given(grounds, keys, names, times_of(action), frozenset())


def _of(action: Action, question: str, each: Sequence[Judged], first: int | None) -> Outcome:
    if not each:
        each = [saying.unproven(question, "no principal of its targets was read")]
    return Outcome(action=action.id, judged=saying.together(question, each, parts=_parts(each)), first_at=first)


def _settled(grounds: Grounds, action: Action, found: Outcome) -> Outcome:
    """What will never be done is not open; what was seen all the same stays as it is."""
    never = where(action, grounds.now) in NEVER_DONE and not action.done
    if not never or found.judged.state != State.OPEN or action.request.kind is ActionKind.ENABLE:
        return found
    why = f"{where(action, grounds.now)}, and nobody says that it was done"
    return msgspec.structs.replace(found, judged=saying.not_applicable(found.judged.question, why))


def _ended(
    grounds: Grounds,
    question: str,
    meant: Targets,
    times: Asking,
    action: Action,
    tainted: frozenset[str],
    renewing: Mapping[str, tuple[Window, ...]] | None = None,
) -> Outcome:
    known = facts(grounds, meant.members)
    each = [endings.ending(question, known, key, times) for key in sorted(known.credentials)]
    each += [_nobody(question, name, times) for name in meant.nobody]
    found = _got(grounds, question, meant, tainted)
    each += [*found.left, *_later(question, meant, found.below, renewing)]
    if action.request.kind is ActionKind.CONTAIN:
        others = _made(grounds, question, meant, found.below)
        each, found = [*each, *others.left], found.and_also(others)
    if meant.cut_off:
        each.append(saying.unproven(question, f"there are more than {MOST} credentials to look at"))
    if not each:
        each.append(_nobody(question, ", ".join(action.request.targets), times))
    judged = saying.together(question, each, parts=_parts(each))
    ends = [found.last, *(one.over for one in known.credentials.values())]
    records = {key: one.ended for key, one in known.credentials.items() if one.ended is not None}
    whole = judged.state == State.PROVED
    return Outcome(
        action=action.id,
        judged=judged,
        observed_at=max((end for end in ends if end is not None), default=None) if whole else None,
        last_success_after=_last_after(known, times),
        surviving=endings.surviving(known, times),
        first_at=min(records.values(), default=None),
        first_apart=max((known.apart[key] for key in records), default=None),
    )


def _made(grounds: Grounds, question: str, meant: Targets, judged: Iterable[str]) -> made.Made:
    """What became of the long-lived keys that were made with the targets, and with what had run out by then, too.

    ``judged`` are keys of the targets that are looked at by themselves: of these only what was made with them.
    """
    return made.with_them(grounds, question, meant.below.union(*meant.of.values(), judged))


def _got(grounds: Grounds, question: str, meant: Targets, tainted: frozenset[str]) -> made.Made:
    """What became of the credentials that a target got since it was asked, with what had to end.

    That is never what was asked for; that they are over, too, is answer enough.
    """
    makers = made.makers(grounds, (each.key for each in meant.later))
    roots = {}
    for each in meant.later:
        by = min(makers.get(each.key, frozenset()) & tainted, default=None)
        if by is not None or each.key in tainted:
            why = f"of it was made with {by or 'one of the incident'} at {text(each.since)}"
            roots[each.key] = (why, refs(each.issue_leaf, each.first_use_leaf))
    return made.became(grounds, question, roots)


def _later(
    question: str, meant: Targets, judged: frozenset[str], renewing: Mapping[str, tuple[Window, ...]] | None
) -> list[Judged]:
    """Credentials that a target which is a name got after it was asked, and that nothing shows to be asked for.

    The holder may have them, or whoever it was that had to be shut out: so the end of the old ones is not the answer.
    ``judged`` are those that had to end themselves. ``renewing`` are the times in which each target might get new ones;
    None: that itself was asked for.
    """
    found = []
    for each in (one for one in meant.later if one.key not in judged):
        told = None
        if each.issued_at is None or each.issue_disputed:
            told = f"was first read at {text(each.since)}, after it was asked, and when it was issued was not read"
        elif renewing is not None and not _wanted(each, meant, renewing):
            told = f"was issued at {text(each.since)}, after it was asked, and nobody asked for a new one"
        if told is not None:
            leaves = refs(each.issue_leaf, each.first_use_leaf)
            found.append(saying.unproven(question, f"{each.key} of it {told}", Best.INDICATED, leaves))
    return found


def _wanted(each: Credential, meant: Targets, renewing: Mapping[str, tuple[Window, ...]]) -> bool:
    """Whether every target that has it might get a new one when it was issued."""
    moment, of = each.issued_at or 0, [name for name, keys in meant.of.items() if each.key in keys]
    return all(any(since <= moment <= until for since, until in renewing.get(name, ())) for name in of)


def _rotated(
    grounds: Grounds, question: str, meant: Targets, times: Asking, action: Action, tainted: frozenset[str]
) -> Outcome:
    """A new credential and no old one: each is needed, and the worse of both is the answer."""
    old = _ended(grounds, question, meant, times, action, tainted)
    new = giving.renewed(grounds, question, meant.of, times_of(action), tainted)
    judged = saying.together(question, [old.judged, *new], parts=[*old.judged.parts, *_parts(new)])
    observed = old.observed_at if judged.state == State.PROVED else None
    began = giving.first_renewed(grounds, meant.of, times_of(action), tainted)
    first = min((each for each in (old.first_at, began) if each is not None), default=None)
    unsure = old.first_apart if first == old.first_at else None
    return msgspec.structs.replace(old, judged=judged, observed_at=observed, first_at=first, first_apart=unsure)


def _nobody(question: str, name: str, times: Asking, what: str = "credential") -> Judged:
    told = f"no {what} of {name} was read"
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


def _named(key: str, of: Iterable[str]) -> bool:
    """Whether a target is that very credential: it is meant whenever it was first read."""
    return any(key == name or key.endswith(f":{name}") for name in of)


def _before(each: Credential, asked: int) -> bool:
    return each.since is None or each.since <= asked + SKEW


def _lived(each: Credential, asked: int) -> bool:
    """Whether it could still be used when it was asked, or since; or was used, whatever ended it before."""
    return each.over is None or max(each.over, each.last_success or 0) > asked - SKEW


def _lasting(grounds: Grounds, keys: Iterable[str], asked: int) -> set[str]:
    """Those with a session that was open when it was asked, or is not known to be closed."""
    return {one.key for one in sessions(grounds.engine, keys) if one.closed is None or one.closed > asked - SKEW}


def _principals(grounds: Grounds, keys: Sequence[str], name: str) -> tuple[str, ...]:
    """The principals that a target is, or that its credentials (``keys``) speak for."""
    found = credentials(grounds.engine, keys[:MOST]).values()
    own = {name} if ":" in name else set()
    return tuple(sorted({each.subject for each in found if each.subject} | own))
