"""Which permits allow, which ask for people, and for how long."""

from __future__ import annotations

import pytest

from custody.broker.policy.folder import PolicyFolder
from custody.broker.policy.policy_set import PolicySet
from custody.broker.policy.settling import Settled, settled
from custody.model.broker_terms import Asked, Verdict
from tests.broker.policy.laying_out import folder_of

POLICIES = """
@id("free") permit (principal, action, resource);
@id("short") @max_ttl("5m") permit (principal, action, resource);
@id("long") @max_ttl("1h30m") permit (principal, action, resource);
@id("one") @approval("1 of ops within 10m") @max_ttl("10m") permit (principal, action, resource);
@id("two") @approval("2 of ops within 15m") @max_ttl("20m") permit (principal, action, resource);
@id("two-more") @approval("2 of ops within 15m") @max_ttl("40m") permit (principal, action, resource);
@id("lead") @approval("1 of leads within 1d") permit (principal, action, resource);
@id("never") forbid (principal, action, resource);
@id("not-now") forbid (principal, action, resource);
"""
ONE = Asked(count=1, group="ops", within=600)
TWO = Asked(count=2, group="ops", within=900)
LEAD = Asked(count=1, group="leads", within=86_400)
ADA, EVE, LEA = ("ada", ("ops",)), ("eve", ("ops",)), ("lea", ("leads",))
ALLOW, DENY, APPROVAL = Verdict.ALLOW, Verdict.DENY, Verdict.APPROVAL


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> PolicySet:
    return PolicyFolder(folder_of(tmp_path_factory.mktemp("policies"), POLICIES)).current


CASES: list[tuple[str, str, tuple[tuple[str, tuple[str, ...]], ...], Settled]] = [
    ("Allow", "free", (), Settled(verdict=ALLOW, ids=("free",))),
    ("Allow", "short", (), Settled(verdict=ALLOW, ids=("short",), max_ttl=300)),
    ("Allow", "short long", (), Settled(verdict=ALLOW, ids=("long", "short"), max_ttl=5400)),
    ("Allow", "short free", (), Settled(verdict=ALLOW, ids=("free", "short"))),
    ("Allow", "one", (), Settled(verdict=APPROVAL, ids=("one",), asked=ONE, max_ttl=600)),
    ("Allow", "one", (LEA,), Settled(verdict=APPROVAL, ids=("one",), asked=ONE, max_ttl=600)),
    ("Allow", "one", (ADA,), Settled(verdict=ALLOW, ids=("one",), max_ttl=600)),
    ("Allow", "one short", (), Settled(verdict=ALLOW, ids=("short",), max_ttl=300)),
    ("Allow", "one short", (ADA,), Settled(verdict=ALLOW, ids=("one", "short"), max_ttl=600)),
    ("Allow", "two one", (), Settled(verdict=APPROVAL, ids=("one",), asked=ONE, max_ttl=600)),
    ("Allow", "two lead", (ADA,), Settled(verdict=APPROVAL, ids=("lead",), asked=LEAD)),
    ("Allow", "two-more two", (), Settled(verdict=APPROVAL, ids=("two", "two-more"), asked=TWO, max_ttl=2400)),
    ("Allow", "two lead", (ADA, EVE), Settled(verdict=ALLOW, ids=("two",), max_ttl=1200)),
    ("Allow", "one two", (ADA,), Settled(verdict=ALLOW, ids=("one",), max_ttl=600)),
    ("Deny", "", (), Settled(verdict=DENY, why="no-permit-matched")),
    ("Deny", "never", (ADA, EVE, LEA), Settled(verdict=DENY, ids=("never",), why="forbidden")),
    ("Deny", "not-now never", (), Settled(verdict=DENY, ids=("never", "not-now"), why="forbidden")),
]


@pytest.mark.parametrize(("said", "reasons", "approvers", "expected"), CASES)
def test_what_holds(
    said: str,
    reasons: str,
    approvers: tuple[tuple[str, tuple[str, ...]], ...],
    expected: Settled,
    policies: PolicySet,
) -> None:
    assert settled(said, tuple(reasons.split()), (), policies, list(approvers)) == expected
