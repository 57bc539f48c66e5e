"""Why a decision came out as it did."""

from __future__ import annotations

from pathlib import Path

import pytest

from custody.broker.policy.explaining import Weighed, weighed
from custody.broker.policy.folder import PolicyFolder
from custody.broker.policy.policy_set import PolicySet
from tests.broker.policy.laying_out import OVERFLOWS, folder_of, situation

POLICIES = f"""
@id("head")
permit (principal is Person, action in [Action::"Renew", Action::"Revoke"], resource == Backend::"b\\"x")
when {{ context has ticket }};
@id("second") @approval("2 of ops within 15m") @max_ttl("5m") @description("what it is for")
permit (principal, action, resource)
when {{ context.environment == "production" && context.ttl <= 900 && context has ticket
  && context.ticket like "CHG-*" }}
when {{ context.contained }};
@id("either")
permit (principal, action, resource) when {{ context.contained || context.ttl < 5 }};
@id("unless")
permit (principal, action, resource) unless {{ context.environment == "production" && context.ttl > 5 }};
@id("quoted")
permit (principal, action, resource) when {{ context.environment == "a) when {{ b }};" }};
@id("errs")
permit (principal, action, resource) when {{ {OVERFLOWS} }};
@id("no")
forbid (principal, action, resource) when {{ principal in Identity::"workload" }};
"""


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> PolicySet:
    return PolicyFolder(folder_of(tmp_path_factory.mktemp("policies"), POLICIES)).current


def by_id(policies: PolicySet, **given: object) -> dict[str, Weighed]:
    return {each.id: each for each in weighed(situation(**given), policies)}


def test_every_policy_is_weighed_alone_and_says_what_in_it_does_not_hold(policies: PolicySet) -> None:
    found = by_id(policies, intent={"ticket": "X-1"})

    assert {name: (each.state, each.missing) for name, each in found.items()} == {
        "head": (
            "does-not-hold",
            (
                "principal is Person",
                'action in [Action::"Renew", Action::"Revoke"]',
                'resource == Backend::"b\\"x"',
            ),
        ),
        "second": ("does-not-hold", ('when { context.ticket like "CHG-*" }',)),
        "either": ("does-not-hold", ("when { context.contained || (context.ttl < 5) }",)),
        "unless": ("does-not-hold", ('unless { (context.environment == "production") && (context.ttl > 5) }',)),
        "quoted": ("does-not-hold", ('when { context.environment == "a) when { b };" }',)),
        "errs": ("error", ("when { (context.ttl * 9223372036854775807) > 0 }",)),
        "no": ("holds", ()),
    }
    assert "overflow" in found["errs"].errors[0]
    assert not any(each.errors for name, each in found.items() if name != "errs")


def test_conditions_are_tried_in_their_order(policies: PolicySet) -> None:
    cases: list[tuple[dict[str, object], str]] = [
        ({"environment": "staging"}, 'when { context.environment == "production" }'),
        ({"ttl": 901}, "when { context.ttl <= 900 }"),
        ({}, "when { context has ticket }"),
        ({"intent": {"ticket": "CHG-1"}}, "when { context.contained }"),
    ]
    for given, missing in cases:
        assert by_id(policies, **given)["second"].missing == (missing,)


def test_what_a_permit_asks_for_is_said_with_what_is_lacking(policies: PolicySet) -> None:
    given = {"intent": {"ticket": "CHG-1"}, "contained": True, "approvers": {"person:idp:a": ["ops"]}}

    found = by_id(policies, **given)["second"]

    assert (found.state, found.missing, found.lacking, found.max_ttl) == ("holds", (), 1, 300)
    assert found.asked is not None
    assert found.asked.group == "ops"
    assert found.description == "what it is for"
    assert found.place == "0.cedar:5"


def test_a_situation_that_the_schema_has_no_words_for_is_weighed_against_nothing(policies: PolicySet) -> None:
    assert weighed(situation(ttl=1 << 70), policies) == ()


def test_the_same_in_any_order(policies: PolicySet, tmp_path: Path) -> None:
    split = [f"@id{piece}" for piece in POLICIES.split("@id")[1:]]
    other = PolicyFolder(folder_of(tmp_path, *reversed(split))).current

    assert [each.id for each in weighed(situation(), other)] == [each.id for each in weighed(situation(), policies)]
