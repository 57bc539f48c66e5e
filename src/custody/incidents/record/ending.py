"""How every action was over when an incident was closed, as the close says it: and whether that can be so.

A close that somebody seals past the commands is held against the steps as they stood then. It ends nothing where it
leaves an action out, says of one what the steps do not show, or leaves a review open that was due. What it says the
target's own log had proved is held against the evidence wherever that is at hand (``unshown``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from custody.incidents.record.acting import left
from custody.incidents.record.folding import Action, Heard, Incident, Where
from custody.incidents.record.weighing import refused, where
from custody.model.incidents import Closed, Ended
from custody.model.leaf import LeafRef

Proofs = Mapping[str, tuple[LeafRef, ...]]
"""The records that show the effect of an action, by its id."""


def ended(incident: Incident, proved: Proofs, now: int) -> tuple[Ended, ...]:
    """How each action that is over at ``now`` (µs) is over, in the order in which they were asked for."""
    return tuple(found for each in incident.actions if (found := _ended(each, proved, now)) is not None)


def _ended(action: Action, proved: Proofs, now: int) -> Ended | None:
    if where(action, now) is Where.SETTLED:
        return Ended(action=action.id, how="settled")
    if action.done:
        return Ended(action=action.id, how="proved", leaves=proved[action.id]) if action.id in proved else None
    return Ended(action=action.id, how="refused") if refused(action) else None


def cannot_end(incident: Incident, heard: Heard) -> str:
    """Why a close sealed as ``heard`` ends nothing; empty where it ends ``incident``, which is as it stood then."""
    assert isinstance(heard.step, Closed)
    named = [each.action for each in heard.step.ended]
    strange = sorted(set(named) ^ {each.id for each in incident.actions})
    if strange or len(named) != len(set(named)):
        return f"it does not say of every action how it was over: {', '.join(strange[:4]) or 'one stands twice'}"
    for each in heard.step.ended:
        action = incident.action(each.action)
        why = "" if action is None else _cannot_be(action, each, heard)
        if why:
            return f"it says that {each.action} was {each.how}, and {why}"
    proved = frozenset(each.action for each in heard.step.ended if each.how == "proved")
    return "; ".join(f"{each.action} was open: {each.why}" for each in left(incident, proved, heard.at)[:4])


def _cannot_be(action: Action, each: Ended, heard: Heard) -> str:
    """Why an action was not over as the close says."""
    at = where(action, heard.at)
    match each.how:
        case "settled":
            return "" if at is Where.SETTLED else f"it was {at.value}"
        case "refused":
            return "" if refused(action) and not action.done else f"it was {at.value}"
    if not action.done:
        return "nobody had said that it was done"
    assert isinstance(heard.step, Closed)
    if not each.leaves or heard.step.as_of is None:
        return "it names no record that shows that, or no time"
    later = [leaf for leaf in each.leaves if leaf.log == heard.leaf.log and leaf.index >= heard.leaf.index]
    return "the records that it names were not there yet" if later else ""


def unshown(incident: Incident, proved: Iterable[str]) -> str:
    """What the close that counts says of actions and the evidence does not show; empty where it shows all of it.

    ``proved`` are the ids of the actions whose effect the target's own log shows.
    """
    names = list(_said_to_be_proved(incident))
    shown = frozenset(proved)
    missing = [name for name in names if name not in shown]
    told = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
    return f"closed, but what the close says of {told} is not shown by the logs" if missing else ""


def _said_to_be_proved(incident: Incident) -> Iterator[str]:
    if incident.closed is not None and isinstance(incident.closed.step, Closed):
        yield from (each.action for each in incident.closed.step.ended if each.how == "proved")
