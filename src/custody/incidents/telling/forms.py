"""The steps of incidents as CloudEvents 1.0 (JSON event format), in the order in which they are told. Pure.

The order is that of the operations log; a decision stands before the first step that its author cannot have seen. What
an event says of the incident is what held when the step was sealed, so that the same step makes the same event whenever
it is sent. ``source`` with ``id`` (``LOG:LEAF``) name a step for good: who is told twice can see it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from custody.incidents.record.folding import NONE, Heard, Incident, incidents
from custody.incidents.record.weighing import People, unapproved, weighed, where
from custody.model.incidents import Asked, Decided, Done, Opened, Reviewed, Settled
from custody.model.leaf import LeafRef
from custody.model.times import text

MEDIA_TYPE = "application/cloudevents+json"
TYPE = "custody.incident.{}.v1"
WITHHELD = "(withheld: it looks like a secret)"
MOST = 64 << 10
"""Bytes of an event: what every receiver of CloudEvents should take. A longer one is told as ``brief`` tells it."""

BRIEF = frozenset(
    {"action", "kind", "verdict", "how", "severity", "until", "break_glass", "item", "second_by", "lapses"}
)
"""The members of a step that ``brief`` leaves: no target, no command, nothing that somebody wrote."""

Secretive = Callable[[str], bool]
"""Says whether a text holds what looks like a secret."""


class Standing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How things stood right after the step.

    ``action`` is how far the action of the step is (``incidents.record.Where``), ``unapproved`` why what was done
    counts as done without approval, ``uncounted`` why the decision or review does not count, ``odd`` why the step
    changes nothing.
    """

    incident: str
    action: str | None = None
    unapproved: str | None = None
    uncounted: str | None = None
    odd: str | None = None


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """A step that is to be told, and how things stood right after it; ``incident`` is None where none was opened."""

    heard: Heard
    incident: Incident | None
    standing: Standing

    @property
    def name(self) -> str:
        """The id of its event: ``LOG:LEAF``."""
        return named(self.heard.leaf)


class _Data(msgspec.Struct, frozen=True, kw_only=True):
    """What an event carries."""

    incident: str
    step: str
    author: str
    signed: bool
    digest: str
    leaf: LeafRef
    standing: Standing
    said: Mapping[str, object]
    title: str | None = None
    severity: str | None = None
    cut: bool = False


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudEvent in structured mode."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    data: _Data


def named(leaf: LeafRef) -> str:
    """A leaf as text: ``LOG:LEAF``."""
    return f"{leaf.log}:{leaf.index}"


def in_order(steps: Iterable[Heard]) -> list[Heard]:
    """Steps of both logs in the order in which they are told; one that is sealed later never moves an earlier one."""
    every = list(steps)
    sure = sorted((each for each in every if each.leaf.log == "operations"), key=lambda each: each.leaf.index)

    def place(heard: Heard) -> tuple[int, int, int]:
        if heard.leaf.log == "operations":
            return heard.leaf.index, 1, 0
        later = next((each.leaf.index for each in sure if each.at > heard.at), 1 << 62)
        return heard.seen if heard.seen is not None else later, 0, heard.leaf.index

    return sorted(every, key=place)


def tellings(
    steps: Sequence[Heard],
    wanted: frozenset[LeafRef],
    people: People,
    overruled: Mapping[str, str],
    void: Mapping[LeafRef, str] = NONE,
) -> list[Telling]:
    """The ``wanted`` ones of the steps of one incident, in order, each as things stood right after it.

    ``overruled`` says of which actions the decision of the policies is not believed, and why; ``void`` of which closes.
    """
    ordered, found = in_order(steps), []
    for index, heard in enumerate(ordered):
        if heard.leaf in wanted:
            stood = _stood(ordered[: index + 1], people, overruled, void)
            found.append(Telling(heard=heard, incident=stood, standing=_standing(heard, stood)))
    return found


def cloud_event(telling: Telling, source: str, *, brief: bool, secretive: Secretive) -> bytes:
    """The event of a step as JSON. What looks like a secret is withheld from it, whoever sealed it.

    One that would be longer than ``MOST`` is told briefly, and says so (``cut``): the log has the whole of it.
    """
    whole = _encoded(telling, source, brief=brief, cut=False, secretive=secretive)
    return whole if len(whole) <= MOST else _encoded(telling, source, brief=True, cut=True, secretive=secretive)


def _encoded(telling: Telling, source: str, *, brief: bool, cut: bool, secretive: Secretive) -> bytes:
    heard, incident = telling.heard, telling.incident
    step = str(msgspec.to_builtins(heard.step)["step"])
    opening = None if incident is None else incident.opening
    event = _Event(
        specversion="1.0",
        id=telling.name,
        source=source,
        type=TYPE.format(step),
        subject=heard.step.incident,
        time=str(text(heard.at)),
        datacontenttype="application/json",
        data=_Data(
            incident=heard.step.incident,
            step=step,
            author=heard.author,
            signed=heard.signature is not None,
            digest=heard.digest,
            leaf=heard.leaf,
            standing=telling.standing,
            said=_said(heard, brief=brief),
            title=None if brief or opening is None else opening.title,
            severity=None if opening is None else opening.severity.value,
            cut=cut,
        ),
    )
    return msgspec.json.encode(_screened(msgspec.to_builtins(event), secretive))


def _stood(
    steps: Sequence[Heard], people: People, overruled: Mapping[str, str], void: Mapping[LeafRef, str]
) -> Incident | None:
    found = next(iter(incidents(steps, void)), None)
    if found is None:
        return None
    actions = tuple(msgspec.structs.replace(each, overruled=overruled.get(each.id, "")) for each in found.actions)
    return weighed(msgspec.structs.replace(found, actions=actions), people)


def _standing(heard: Heard, incident: Incident | None) -> Standing:
    if incident is None:
        return Standing(incident="not opened", odd="no such incident was opened")
    step = heard.step
    state = "open" if incident.closed is None else "closed"
    odd = next((each.why for each in incident.odd if each.heard.leaf == heard.leaf), None)
    about = step.action if isinstance(step, Asked | Done | Settled | Decided | Reviewed) else ""
    action = incident.action(about)
    if action is None:
        return Standing(incident=state, odd=odd)
    weighed_ones = (*action.decisions, *action.reviews)
    return Standing(
        incident=state,
        action=where(action, heard.at).value,
        unapproved=(unapproved(action, heard) if isinstance(step, Done) else "") or None,
        uncounted=next((each.why for each in weighed_ones if each.heard.leaf == heard.leaf and each.why), None),
        odd=odd,
    )


def _said(heard: Heard, *, brief: bool) -> dict[str, object]:
    """The members of the step itself; of who approves what, and why the policies said so, only the verdict."""
    plain: dict[str, object] = msgspec.to_builtins(heard.step)
    for name in ("step", "incident"):
        plain.pop(name, None)
    if isinstance(heard.step, Asked):
        plain["decision"] = heard.step.decision.verdict.value
    if not brief:
        return plain
    kept = BRIEF | {"decision"}
    counted = {"seeds": len(heard.step.seeds)} if isinstance(heard.step, Opened) else {}
    return {name: value for name, value in plain.items() if name in kept} | counted


def _screened(value: object, secretive: Secretive) -> object:
    if isinstance(value, str):
        return WITHHELD if secretive(value) else value
    if isinstance(value, dict):
        return {name: _screened(each, secretive) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_screened(each, secretive) for each in value]
    return value
