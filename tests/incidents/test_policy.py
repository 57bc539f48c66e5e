"""The policies of incidents: the shipped ones say what docs/incidents.md says, and nothing unclear allows."""

from __future__ import annotations

import cedarpy
import msgspec
import pytest

from custody.broker.policy.policy_set import PolicySet
from custody.incidents.policy import deciding
from custody.incidents.policy.asking import Situation, askings
from custody.incidents.policy.deciding import DEFAULT, check, combined, decide, shipped
from custody.model.broker_terms import Asked, Verdict
from custody.model.verdicts import Severity

NOW = 1_795_341_600_000_000
"""2026-11-22T10:00:00Z, a Sunday."""
USUAL = Situation(
    kind="contain",
    now=NOW,
    opened=NOW - 90_000_000,
    severity=Severity.HIGH,
    author="ann@example.com",
    signed=True,
    groups=(),
    targets=("aws_akid:aws:AKIAEXAMPLE",),
)
RESPONDER, CRITICAL = {"groups": ("responders",)}, {"severity": Severity.CRITICAL}
ALLOW, DENY, ASK = Verdict.ALLOW, Verdict.DENY, Verdict.APPROVAL


def situation(**changed: object) -> Situation:
    return msgspec.structs.replace(USUAL, **changed)


def made(*policies: str) -> PolicySet:
    found = check({"own.cedar": "\n".join(policies)})
    assert found.found is not None, found.flaws
    return found.found


@pytest.fixture(scope="module")
def policies() -> PolicySet:
    return made(shipped())


def test_what_is_shipped_is_sound() -> None:
    found = check({DEFAULT: shipped()})

    assert (found.flaws, found.notes) == ((), ())


@pytest.mark.parametrize(
    ("changed", "verdict", "named", "count"),
    [
        ({}, ASK, "stop", 1),
        ({"kind": "revoke"}, ASK, "stop", 1),
        ({"kind": "narrow"}, ASK, "stop", 1),
        ({**CRITICAL, **RESPONDER}, ALLOW, "stop-at-once", 0),
        ({**CRITICAL, **RESPONDER, "already": 24}, ALLOW, "stop-at-once", 0),
        ({**CRITICAL, **RESPONDER, "already": 25}, ASK, "stop", 1),
        ({"break_glass": True, "already": 24}, ASK, "break-glass", 1),
        ({"break_glass": True, "already": 25}, DENY, "", 0),
        ({**CRITICAL}, ASK, "stop", 1),
        ({**RESPONDER}, ASK, "stop", 1),
        ({**CRITICAL, **RESPONDER, "targets": tuple(f"id-{n}" for n in range(26))}, ASK, "stop", 1),
        ({**CRITICAL, **RESPONDER, "signed": False}, DENY, "signed-only", 0),
        ({"kind": "rotate"}, ASK, "rotate", 1),
        ({"kind": "re-enable", **CRITICAL, **RESPONDER}, ASK, "enable-again", 2),
        ({"kind": "emergency-access"}, DENY, "", 0),
        ({"kind": "emergency-access", "lasting": 4 * 3600}, ASK, "emergency-access", 1),
        ({"kind": "emergency-access", "lasting": 4 * 3600 + 1}, DENY, "", 0),
        ({"break_glass": True}, ASK, "break-glass", 1),
        ({"break_glass": True, "signed": False}, DENY, "signed-only", 0),
        ({"break_glass": True, "kind": "re-enable"}, DENY, "", 0),
        ({"break_glass": True, "kind": "emergency-access", "lasting": 3601}, DENY, "break-glass-with-an-end", 0),
        ({"break_glass": True, "kind": "emergency-access", "lasting": 3600}, ASK, "break-glass", 1),
        ({"kind": "close", "targets": ("in-1",)}, ALLOW, "close", 0),
        ({"kind": "close", "targets": ("in-1",), "signed": False}, DENY, "signed-only", 0),
        ({"kind": "erase"}, DENY, "", 0),
        ({"targets": ()}, DENY, "", 0),
    ],
)
def test_what_the_shipped_policies_say(
    policies: PolicySet, changed: dict[str, object], verdict: Verdict, named: str, count: int
) -> None:
    found = decide(situation(**changed), policies)

    assert (found.verdict, ", ".join(each.id for each in found.policies)) == (verdict, named)
    assert (found.asked.count if found.asked else 0) == count
    assert found.asked is None or found.asked.group == "approvers"


ANY = '@id("any") permit (principal, action, resource);'
LATE = '@id("late") forbid (principal, action, resource) when { context.hour >= 11 };'
TWICE = '@id("two") @approval("2 of leads within 1h") permit (principal, action, resource == Identity::"pay");'
ONCE = '@id("one") @approval("1 of leads within 1h") permit (principal, action, resource == Identity::"web");'
OVER = '@id("over") permit (principal, action, resource) when { context.age * 9223372036854775807 > 1 };'
NEVER = '@id("no") forbid (principal, action == Action::"contain", resource);'
GLASS = '@id("glass") @approval("1 of leads within 1h") permit (principal, action == Action::"break-glass", resource)'


@pytest.mark.parametrize(
    ("texts", "changed", "verdict", "why"),
    [
        ((ANY,), {}, ALLOW, ""),
        ((ANY, LATE), {}, ALLOW, ""),
        ((ANY, LATE), {"now": NOW + 3_600_000_000}, DENY, "forbidden"),
        ((OVER,), {}, DENY, "engine-errors"),
        ((ANY, OVER), {}, DENY, "engine-errors"),
        ((TWICE, ONCE), {"targets": ("pay",)}, ASK, ""),
        ((TWICE, ONCE), {"targets": ("pay", "web")}, DENY, "different-approvals"),
        ((TWICE,), {"targets": ("pay", "web")}, DENY, "no-permit-matched"),
        ((ANY,), {"break_glass": True}, DENY, "break-glass-not-named"),
        ((f"{GLASS};",), {"break_glass": True}, DENY, "break-glass-not-named"),
        ((f"{GLASS} when {{ context.break_glass }};",), {"break_glass": True}, ASK, ""),
        ((f"{GLASS} when {{ context.break_glass }};",), {}, DENY, "no-permit-matched"),
        (
            ('@id("b") permit (principal, action, resource) when { context.break_glass };',),
            {"break_glass": True},
            DENY,
            "break-glass-without-approval",
        ),
        (
            (f"{GLASS} when {{ context.break_glass }};", NEVER),
            {"break_glass": True},
            DENY,
            "forbidden",
        ),
    ],
)  # fmt: skip
def test_anything_but_a_clean_allow_is_a_deny(
    texts: tuple[str, ...], changed: dict[str, object], verdict: Verdict, why: str
) -> None:
    found = decide(situation(**changed), made(*texts))

    assert (found.verdict, found.why) == (verdict, why)
    assert verdict is not DENY or found.asked is None


def test_a_decision_can_be_made_again_from_what_it_names(policies: PolicySet) -> None:
    one, other = decide(USUAL, policies), decide(USUAL, made(shipped()))

    assert one == other
    assert one.asked == Asked(count=1, group="approvers", within=1800)
    assert one.context["now"] == "2026-11-22T10:00:00Z"
    assert decide(situation(author="bob@example.com"), policies).request != one.request


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("aws_akid:aws:AKIA1", "Credential"),
        ("pay-deploy", "Identity"),
        ("aws_akid:", "Identity"),
        ("x:y:z", "Identity"),
    ],
)
def test_a_target_is_a_credential_where_it_is_a_key(target: str, kind: str) -> None:
    (asked,) = askings(situation(targets=(target,)), "contain")

    assert asked.resource == {"type": kind, "id": target}


@pytest.mark.parametrize(
    "name", ['ann"@example.com', 'Group::"approvers"', "ann\n", "Ünï", "a" * 300, "account:ops@host"]
)
def test_a_name_cannot_be_anything_but_a_name(policies: PolicySet, name: str) -> None:
    found = decide(situation(author=name, targets=(name,), groups=(name,)), policies)

    assert (found.verdict, found.errors) == (ASK, ())


def test_an_engine_that_fails_has_denied(policies: PolicySet, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> object:
        raise RuntimeError("must-not-stay")

    monkeypatch.setattr(cedarpy, "is_authorized", fails)
    found = decide(USUAL, policies)

    assert (found.verdict, found.why) == (DENY, "engine-errors")
    assert "must-not-stay" not in repr(found)


def test_a_broken_set_is_told_with_everything_that_is_wrong() -> None:
    found = check({"a.cedar": '@id("a") permit (principal, action == Action::"Issue", resource);', "b.cedar": "permit"})

    assert found.found is None
    assert {each.where.partition(":")[0] for each in found.flaws} == {"a.cedar", "b.cedar"}
    assert deciding.policies_of((("a.cedar", "permit"),)) is None


def test_nothing_asked_is_nothing_allowed() -> None:
    assert combined([]).verdict is DENY
