"""What the engine is handed: every field arrives, is digested, and can be made again from an entry of the log."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from custody.broker.policy.engine import Situation
from custody.broker.policy.situations import ACTIONS, asking, counted, rebuilt
from custody.errors import UsageError
from custody.model.broker_terms import Verdict
from custody.model.brokered import Request
from tests.broker.policy.laying_out import EVERYTHING, engine_of, situation

FULL = {
    "action": "Renew",
    "now": "2026-11-22T17:45:30.000001Z",
    "environment": "staging",
    "backend_kind": "postgresql",
    "ttl": "15m",
    "origin": "::ffff:10.1.2.3",
    "contained": False,
    "break_glass": "bg-1",
    "parent_live": True,
    "proof": {"granularity": "run", "run": "github_run:github:1/1", "claims": {"repository": "acme/pay"}},
    "intent": {
        "backend": "payments",
        "resource": ["db:a", "db:b", "db:a"],
        "audience": ["aud"],
        "scope": ["write", "read"],
        "details": ['{"type":"row","locations":["x"]}', '{"type":"row"}'],
        "purpose": "migrate",
        "ticket": "CHG-1",
        "run": "said",
        "parent": "cc-1",
        "renews": "cc-2",
        "reason": "still at it",
    },
    "registered": {
        "identity": "payments",
        "leaf": 4,
        "owner": "team:payments",
        "purpose": "pay",
        "environments": ["staging"],
        "risk": "high",
        "depends_on": ["db:a", "db:b", "db:c"],
    },
    "actors": [
        {"subject": "bot", "proof": {"workload": "agent:idp:bot", "subject": "bot", "issuer": "https://idp.example"}},
        {"subject": "helper", "issuer": "https://idp.example"},
        {"subject": "bot", "claimed": True},
    ],
    "approvers": {"person:idp:ada": ["ops", "ops"], "person:idp:eve": ["leads", "ops"]},
    "subject": {"workload": "person:idp:joe", "subject": "joe", "person": True},
}

CONDITIONS = """
context.environment == "staging" && context.hour == 17 && context.minute == 45 && context.weekday == 7
context.date == 20261122 && context.ttl == 900
context.origin == ip("10.1.2.3") && context.origin.isInRange(ip("10.0.0.0/8"))
context.scope == ["read", "write"] && context.audience == ["aud"] && context.resource == ["db:a", "db:b"]
context.details == ["row"] && context.declared && context.renewal && !context.contained
context.purpose == "migrate" && context.ticket == "CHG-1" && context.reason == "still at it"
context.stated_run == "said" && context.parent == "cc-1" && context.parent_live && context.break_glass == "bg-1"
context.acting.depth == 3 && !context.acting.proved && context.acting.first == Agent::"bot"
context.acting.all == [Agent::"bot", Agent::"helper"]
!context.acting.first.proved && context.acting.first.claimed && context.acting.first.issuer == "https://idp.example"
!Agent::"helper".proved && !Agent::"helper".claimed && !(Agent::"helper" has method)
context.approved.count == 2 && context.approved.groups == [Group::"leads", Group::"ops"]
context.approved.by == [Approver::"person:idp:ada", Approver::"person:idp:eve"]
Approver::"person:idp:ada" in Group::"ops" && !(Approver::"person:idp:ada" in Group::"leads")
context.on_behalf.key == "person:idp:joe" && context.on_behalf.person && context.on_behalf.method == "oidc"
principal in Identity::"payments" && principal in Group::"team:payments" && principal is Workload
principal.owner == "team:payments" && principal.purpose == "pay" && principal.risk == "high"
principal.environments.contains(context.environment) && principal.depends_on.containsAll(context.resource)
principal.method == "oidc" && principal.issuer == "https://issuer.example" && principal.subject == "workload"
principal.granularity == "run" && principal.run == "github_run:github:1/1"
principal.hasTag("repository") && principal.getTag("repository") like "acme/*" && !principal.hasTag("ref")
resource == Backend::"payments" && resource.kind == "postgresql" && action in Action::"Obtain"
""".strip().splitlines()


GUARDS = (
    "context has origin && context has purpose && context has ticket && context has reason && "
    "context has stated_run && context has parent && context has parent_live && context has break_glass && "
    "context has acting && context.acting.first has issuer && context has approved && context has on_behalf && "
    "principal has owner && principal has purpose && principal has risk && "
    "principal has granularity && principal has run"
)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_field_arrives(condition: str, tmp_path: Path) -> None:
    head = 'permit (principal, action == Action::"Renew", resource)'
    engine = engine_of(
        tmp_path,
        f'@id("is") {head} when {{ {GUARDS} }} when {{ {condition} }};',
        f'@id("is-not") forbid (principal, action == Action::"Renew", resource) when {{ {GUARDS} }} '
        f"unless {{ {condition} }};",
    )

    decision = engine.decide(situation(**FULL))

    assert (decision.verdict, decision.errors, [each.id for each in decision.policies]) == (Verdict.ALLOW, (), ["is"])


def test_what_is_not_there_is_absent(tmp_path: Path) -> None:
    absent = " || ".join(
        f"context has {name}"
        for name in (
            "origin purpose ticket reason stated_run parent parent_live break_glass acting approved on_behalf".split()
        )
    )
    engine = engine_of(tmp_path, EVERYTHING, f'@id("some") forbid (principal, action, resource) when {{ {absent} }};')

    assert engine.decide(situation(origin="a socket")).verdict is Verdict.ALLOW


@pytest.mark.parametrize("person", [False, True])
@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_every_action_is_in_the_schema_for_those_who_may_be_asked_about(
    action: str, person: bool, tmp_path: Path
) -> None:
    engine = engine_of(tmp_path, EVERYTHING)
    of_people = {"Approve", "Revoke", "Contain", "Enable"}

    decision = engine.decide(situation(action=action, proof={"person": person}))

    assert decision.verdict is (Verdict.ALLOW if person or action not in of_people else Verdict.DENY)
    assert bool(decision.errors) is (decision.verdict is Verdict.DENY)


@pytest.mark.parametrize(
    ("given", "out"),
    [
        ({"proof": {"workload": "person:idp:ada"}}, "person:idp:ada"),
        ({"proof": {"subject": "ada"}}, "person:idp:ada"),
        ({"actors": [{"subject": "ada"}]}, "person:idp:ada"),
        ({"actors": [{"subject": "person:idp:ada"}]}, "person:idp:ada"),
        ({"actors": [{"subject": "x", "proof": {"workload": "person:idp:ada"}}]}, "person:idp:ada"),
        ({"subject": {"workload": "person:idp:ada"}}, "person:idp:ada"),
        ({"subject": {"subject": "ada"}}, "person:idp:ada"),
        ({}, None),
    ],
)
def test_nobody_approves_for_themselves(given: dict[str, object], out: str | None) -> None:
    approvers = {"person:idp:ada": ["ops"], "person:idp:eve": ["ops"]}

    assert {name for name, _ in counted(situation(**given, approvers=approvers))} == set(approvers) - {out}


def test_the_digests_are_of_deterministic_json() -> None:
    asked = asking(situation(**FULL))
    whole = json.loads(asked.request)

    assert asked.request == json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()
    assert asked.entities == json.dumps(json.loads(asked.entities), sort_keys=True, separators=(",", ":")).encode()
    assert json.loads(asked.context) == whole["context"]
    assert asked.digests == (sha256(asked.entities).hexdigest(), sha256(asked.request).hexdigest())
    turned = situation(**FULL | {"approvers": {"person:idp:eve": ["ops", "leads"], "person:idp:ada": ["ops"]}})
    assert asking(turned).digests == asked.digests


def entry(decided: Situation, engine_place: Path) -> Request:
    decision = engine_of(engine_place, EVERYTHING).decide(decided)
    return Request(
        request="rq-1",
        digest="0" * 64,
        proof=decided.subject or decided.proof,
        intent=decided.intent,
        decision=decision,
        actors=decided.actors,
        registered=decided.registered,
        origin=decided.origin,
    )


@pytest.mark.parametrize(
    "given",
    [
        {},
        FULL,
        {"contained": True, "parent_live": False, "approvers": {}},
        {"actors": [{"subject": "bot", "claimed": True}], "origin": "10.0.0.1"},
    ],
)
def test_an_entry_of_the_log_is_enough_to_decide_again(given: dict[str, object], tmp_path: Path) -> None:
    decided = situation(**given)
    if decided.actors and decided.actors[0].proof is not None:
        decided = msgspec.structs.replace(decided, proof=decided.actors[0].proof)
    written = entry(decided, tmp_path)
    read = msgspec.json.decode(msgspec.json.encode(written), type=Request)

    assert rebuilt(read) == decided
    assert asking(rebuilt(read)).digests == (written.decision.entities, written.decision.request)


@pytest.mark.parametrize(
    "change",
    [
        {"registered": None},
        {"context": {}},
        {"context": {"action": "Issue"}},
        {"context": {"action": "Issue", "now": "not a number"}},
    ],
)
def test_an_entry_that_does_not_hold_all_of_it_says_so(change: dict[str, object], tmp_path: Path) -> None:
    written = entry(situation(), tmp_path)
    if "context" in change:
        change = {"decision": msgspec.structs.replace(written.decision, context=change["context"])}

    with pytest.raises(UsageError, match="does not hold"):
        rebuilt(msgspec.structs.replace(written, **change))
