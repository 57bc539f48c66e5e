"""A request in an incident in the words of the schema: what the engine is handed, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from custody.broker.policy.situations import ENCODER, Asking, Reference
from custody.errors import SourceError
from custody.model import keys
from custody.model.incidents import ActionKind
from custody.model.times import EPOCH, text
from custody.model.verdicts import SEVERITY_ORDER, Severity

CLOSE, BREAK_GLASS = "close", "break-glass"
ACTIONS = frozenset({*(kind.value for kind in ActionKind), CLOSE, BREAK_GLASS})
MICROSECOND = 1_000_000


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """All that a decision rests on, at the moment ``now`` (µs).

    ``author`` is what who asks is called (``Heard.author``), ``groups`` those of who ``signed``. ``lasting`` is in
    seconds. ``kind`` is one of ``model.incidents.ActionKind``, or ``close`` with the id of the incident as target.
    ``already`` counts other targets of the incident that were asked for before without waiting for anybody.
    """

    kind: str
    now: int
    opened: int
    severity: Severity
    author: str
    signed: bool
    groups: tuple[str, ...]
    targets: tuple[str, ...]
    lasting: int | None = None
    break_glass: bool = False
    already: int = 0


def askings(situation: Situation, action: str) -> tuple[Asking, ...]:
    """The situation for the engine as ``action``, once for each target."""
    if action not in ACTIONS or not situation.targets:
        raise ValueError("no such action, or nothing that it is done to")
    return tuple(_asking(situation, action, each) for each in situation.targets)


def _asking(situation: Situation, action: str, target: str) -> Asking:
    principal, resource = _reference("Person", situation.author), _resource(situation, target)
    groups = [_reference("Group", each) for each in sorted(situation.groups)]
    entities = [
        _entity(principal, {"signed": situation.signed}, groups),
        _entity(resource, {"type": target.partition(":")[0]} if resource["type"] == "Credential" else {}),
        *(_entity(each, {}) for each in groups),
    ]
    told, asked = _context(situation), _reference("Action", action)
    whole = {"principal": principal, "action": asked, "resource": resource, "context": told}
    return Asking(
        principal=principal,
        action=asked,
        resource=resource,
        context=ENCODER.encode(told).decode(),
        entities=ENCODER.encode(entities),
        request=ENCODER.encode(whole),
    )


def recordable(situation: Situation) -> dict[str, str]:
    """What is kept of a situation beside the request itself, as text: enough to decide it again."""
    told = {
        "now": str(text(situation.now)),
        "principal": situation.author,
        "signed": "true" if situation.signed else "false",
        "groups": ENCODER.encode(sorted(situation.groups)).decode(),
        "severity": situation.severity.value,
        "age": str(_age(situation)),
    }
    return told if situation.lasting is None else {**told, "lasting": str(situation.lasting)}


def _context(situation: Situation) -> dict[str, object]:
    told: dict[str, object] = {
        "kind": situation.kind,
        "severity": situation.severity.value,
        "rank": SEVERITY_ORDER[situation.severity.value] + 1,
        "age": _age(situation),
        "targets": len(situation.targets),
        "already": situation.already,
        "break_glass": situation.break_glass,
        **_when(situation.now),
    }
    return told if situation.lasting is None else {**told, "lasting": situation.lasting}


def _age(situation: Situation) -> int:
    return max(0, situation.now - situation.opened) // MICROSECOND


def _when(now: int) -> dict[str, int]:
    moment = EPOCH + timedelta(microseconds=now)
    return {
        "hour": moment.hour,
        "minute": moment.minute,
        "weekday": moment.isoweekday(),
        "date": moment.year * 10_000 + moment.month * 100 + moment.day,
    }


def _resource(situation: Situation, target: str) -> Reference:
    if situation.kind == CLOSE:
        return _reference("Incident", target)
    try:
        keys.parse(target)
    except SourceError:
        return _reference("Identity", target)
    return _reference("Credential", target)


def _reference(kind: str, name: str) -> Reference:
    return {"type": kind, "id": name}


def _entity(reference: Reference, attributes: Mapping[str, object], parents: list[Reference] | None = None) -> object:
    return {"uid": reference, "attrs": dict(attributes), "parents": parents or []}
