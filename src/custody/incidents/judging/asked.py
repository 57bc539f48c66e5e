"""When things were asked for, allowed and said to be done: what the logs are held against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from custody.incidents.judging.endings import Asking, Window
from custody.incidents.judging.giving import Times
from custody.incidents.record.folding import Action, Heard, Incident, lapses
from custody.incidents.record.weighing import denied, granted, refused
from custody.incidents.scope.grounds import Grounds, descendants
from custody.model.broker_terms import Verdict
from custody.model.incidents import ActionKind, Done
from custody.model.times import microseconds

EVER = 1 << 62
"""Later than anything that was sealed (µs)."""


def done_at(action: Action) -> int | None:
    """When it is said to have been done for the last time (µs), by the word of who did it; None: nobody says so."""
    return max((said_at(each) for each in action.done), default=None)


def said_at(heard: Heard) -> int:
    """When somebody says that they did it (µs); where that cannot be read, when they said so."""
    told = moment_of(heard.step.at) if isinstance(heard.step, Done) else None
    return heard.at if told is None else told


Of = Mapping[str, Iterable[str]]
"""The credentials of each target of an action."""


def asking(grounds: Grounds, incident: Incident, action: Action, of: Of, tainted: frozenset[str]) -> Asking:
    """The times that the end of a target is held against."""
    others = [each for each in incident.actions if each.id != action.id and _same_end(each, action)]
    return Asking(
        asked=action.asked.at,
        done=done_at(action),
        again=_again(grounds, incident, action, of),
        earlier=any(min((each.at for each in one.done), default=EVER) < action.asked.at for one in others),
        others=frozenset(descendants(grounds.engine, _shared(of, (one for one in others if one.done)))),
        tainted=tainted,
    )


def _again(grounds: Grounds, incident: Incident, action: Action, of: Of) -> dict[str, tuple[Window, ...]]:
    """When each credential might be enabled again: only those of the targets that were asked for, each in its time."""
    found: dict[str, tuple[Window, ...]] = {}
    for each in incident.actions:
        since = allowed_since(each) if each.request.kind is ActionKind.ENABLE else None
        if since is not None and each.asked.at >= action.asked.at:
            for key in descendants(grounds.engine, _shared(of, [each])):
                found[key] = (*found.get(key, ()), (since, lapses(each.request)))
    return found


def _shared(of: Of, others: Iterable[Action]) -> list[str]:
    """The credentials of the targets in ``of`` that one of ``others`` is about, too."""
    names = {name for each in others for name in each.request.targets} & of.keys()
    return [key for name in sorted(names) for key in of[name]]


def _same_end(other: Action, action: Action) -> bool:
    """Whether ``other`` is to end a target of ``action``, too."""
    kinds = (ActionKind.CONTAIN, ActionKind.REVOKE, ActionKind.ROTATE)
    return other.request.kind in kinds and bool(set(other.request.targets) & set(action.request.targets))


def allowed_since(action: Action) -> int | None:
    """From when on it might be done (µs), None: never. What was denied or only asked for excuses nothing."""
    if refused(action) or denied(action) or (action.settled is not None and not action.done):
        return None
    decision = action.request.decision
    if decision.verdict is Verdict.ALLOW or action.request.break_glass:
        return action.asked.at
    grants = sorted(each.at for each in granted(action, EVER))
    needed = max(decision.asked.count, 1) if decision.asked is not None else 1
    return max(action.asked.at, grants[needed - 1]) if len(grants) >= needed else None


def times_of(action: Action) -> Times:
    """The times of an action that gives or takes."""
    return Times(asked=action.asked.at, done=done_at(action), until=moment_of(action.request.until), sealed=True)


def moment_of(told: str | None) -> int | None:
    """A time that somebody wrote (µs), None where there is none or it cannot be read."""
    try:
        return microseconds(told)
    except (ValueError, OverflowError):
        return None


def asked_for(incident: Incident, action: Action) -> dict[str, tuple[Window, ...]]:
    """When each target might get new credentials because somebody asked for that."""
    kinds = (ActionKind.ROTATE, ActionKind.ENABLE, ActionKind.EMERGENCY)
    found: dict[str, tuple[Window, ...]] = {}
    for each in incident.actions:
        since = allowed_since(each) if each.request.kind in kinds else None
        for name in set(each.request.targets) & set(action.request.targets) if since is not None else ():
            found[name] = (*found.get(name, ()), (since or 0, lapses(each.request)))
    return found
