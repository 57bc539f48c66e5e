"""Why a decision came out as it did: every policy weighed alone, and what in each keeps it from holding."""

from __future__ import annotations

import re
from collections.abc import Iterator

import cedarpy
import msgspec

from custody.broker.policy.caught import Caught
from custody.broker.policy.cedar import evaluated
from custody.broker.policy.engine import Situation
from custody.broker.policy.policy_set import PolicySet, handle
from custody.broker.policy.settling import lacking
from custody.broker.policy.situations import Asking, asking, counted
from custody.broker.policy.texts import Policy
from custody.model.broker_terms import Asked

HOLDS, FAILS, ERRS = "holds", "does-not-hold", "error"
_SLOTS = ("principal", "action", "resource")
_ANY: dict[str, object] = {slot: {"op": "All"} for slot in _SLOTS}

_HEAD = re.compile(r"permit\s*\((.*?)\)\s*(?:(?:when|unless)\b.*)?;\s*", re.DOTALL)
_CONDITION = re.compile(r"permit\s*\(.*?\)\s*((?:when|unless)\s*\{.*\})\s*;\s*", re.DOTALL)
_NEEDLESS = re.compile(r"(?<![\w\])])\(([\w.:]+|\"[^\"]*\")\)")


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """One policy in one situation. ``missing`` are the parts of it, as text, that keep it from holding.

    ``state`` is ``holds``, ``does-not-hold`` or ``error`` (``errors`` say which). For a permit that asks for approvals
    ``lacking`` is how many people have yet to approve.
    """

    id: str
    effect: str
    place: str
    state: str
    missing: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    asked: Asked | None = None
    lacking: int = 0
    max_ttl: int | None = None
    description: str = ""


class _Bench:
    """A situation laid out, so that one policy or part of one after the other can be tried in it."""

    def __init__(self, situation: Situation, policies: PolicySet) -> None:
        self._asking: Asking = asking(situation)
        self._schema = policies.schema.handle
        self._entities = cedarpy.Entities.from_json_str(self._asking.entities.decode(), self._schema)

    def tried(self, body: dict[str, object]) -> tuple[str, tuple[str, ...]]:
        """Whether a policy, taken as a permit, holds; and what went wrong."""
        alone = handle({"alone": {**body, "effect": "permit", "annotations": {}}})
        said, _, errors = evaluated(self._asking, alone, self._entities, self._schema)
        if errors:
            return ERRS, errors
        return (HOLDS if said == "Allow" else FAILS), ()


def weighed(situation: Situation, policies: PolicySet) -> tuple[Weighed, ...]:
    """Every policy of the set in this situation, by id; nothing where the situation cannot be told in the schema."""
    with Caught():
        bench, approvers = _Bench(situation, policies), counted(situation)
        return tuple(_weighed(each, bench, approvers) for each in policies.policies.values())
    return ()


def _weighed(policy: Policy, bench: _Bench, approvers: list[tuple[str, tuple[str, ...]]]) -> Weighed:
    state, errors = bench.tried(policy.body)
    return Weighed(
        id=policy.id,
        effect=policy.effect,
        place=policy.place,
        state=state,
        missing=tuple(_missing(policy, bench)) if state != HOLDS else (),
        errors=tuple(error.removeprefix("alone: ") for error in errors),
        asked=policy.asked,
        lacking=lacking(policy.asked, approvers) if policy.asked else 0,
        max_ttl=policy.max_ttl,
        description=policy.description,
    )


def _missing(policy: Policy, bench: _Bench) -> Iterator[str]:
    """The parts of the head that do not hold, else the first condition that does not: later ones may lean on it."""
    heads = [{**_ANY, slot: policy.body[slot], "conditions": []} for slot in _SLOTS]
    failing = [_head(body, slot) for body, slot in zip(heads, _SLOTS, strict=True) if bench.tried(body)[0] != HOLDS]
    if failing:
        yield from failing
        return
    for body in _conditions(policy):
        if bench.tried(body)[0] != HOLDS:
            yield _condition(body)
            return


def _conditions(policy: Policy) -> Iterator[dict[str, object]]:
    """Each condition by itself; a ``when`` of several terms joined by ``&&`` as one for each."""
    for condition in msgspec.convert(policy.body.get("conditions") or [], list[dict[str, object]]):
        terms = _terms(condition["body"]) if condition["kind"] == "when" else [condition["body"]]
        for term in terms:
            yield {**_ANY, "conditions": [{"kind": condition["kind"], "body": term}]}


def _terms(body: object) -> list[object]:
    both = body.get("&&") if isinstance(body, dict) else None
    return [*_terms(both["left"]), *_terms(both["right"])] if isinstance(both, dict) else [body]


def _text(body: dict[str, object]) -> str:
    one = {
        "staticPolicies": {"p": {**body, "effect": "permit", "annotations": {}}},
        "templates": {},
        "templateLinks": [],
    }
    return cedarpy.policies_from_json_str(msgspec.json.encode(one).decode())


def _head(body: dict[str, object], slot: str) -> str:
    found = _HEAD.fullmatch(_text(body))
    inside = found[1] if found else slot
    for other in _SLOTS:
        if other != slot:
            inside = re.sub(rf"(^|,)\s*{other}\s*(?=,|$)", "", inside)
    return inside.strip(" ,\n")


def _condition(body: dict[str, object]) -> str:
    found = _CONDITION.fullmatch(_text(body))
    text, before = (found[1] if found else _text(body)), ""
    while text != before:  # the engine writes a pair of brackets around every name
        before, text = text, _NEEDLESS.sub(r"\1", text)
    return " ".join(text.split())
