"""What every policy engine keeps to, the fake among them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custody.broker.policy.engine import PolicyEngine, Situation
from custody.broker.policy.fixed import Fixed
from custody.model.broker_terms import Actor, Asked, Decision, Intent, Proof, Registered, Verdict
from tests.broker.policy.laying_out import EVERYTHING, OVERFLOWS, engine_of, situation

HEX = re.compile(r"[0-9a-f]{64}")
TWO = Asked(count=2, group="ops", within=900)
APPROVED = '@id("two") @approval("2 of ops within 15m") @max_ttl("5m") permit (principal, action, resource);'
FORBIDS = '@id("never") forbid (principal, action, resource);'
ERRS = f'@id("errs") forbid (principal, action, resource) when {{ {OVERFLOWS} }};'

Make = Callable[[Path, Verdict], PolicyEngine]


def cedar(place: Path, verdict: Verdict) -> PolicyEngine:
    return engine_of(place, {Verdict.ALLOW: EVERYTHING, Verdict.DENY: FORBIDS, Verdict.APPROVAL: APPROVED}[verdict])


def fixed(_: Path, verdict: Verdict) -> PolicyEngine:
    return Fixed(verdict, asked=TWO if verdict is Verdict.APPROVAL else None)


def erring_cedar(place: Path, _: Verdict) -> PolicyEngine:
    return engine_of(place, EVERYTHING, ERRS)


def erring_fixed(_: Path, verdict: Verdict) -> PolicyEngine:
    return Fixed(verdict, asked=TWO, errors=("something",))


ENGINES = pytest.mark.parametrize("make", [cedar, fixed])


@ENGINES
@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_decision_says_what_it_rests_on(make: Make, verdict: Verdict, tmp_path: Path) -> None:
    decision = make(tmp_path, verdict).decide(situation())

    assert decision.verdict is verdict
    assert all(HEX.fullmatch(each) for each in (decision.policy_set, decision.schema, decision.entities))
    assert HEX.fullmatch(decision.request)
    assert decision.engine.count(" ") == 1
    assert decision.errors == ()
    assert bool(decision.policies) or verdict is Verdict.DENY
    assert (decision.why == "") is (verdict is not Verdict.DENY)
    assert decision.asked == (TWO if verdict is Verdict.APPROVAL else None)
    assert msgspec.json.decode(msgspec.json.encode(decision), type=Decision) == decision


@ENGINES
def test_the_same_situation_gives_the_same_decision_and_another_one_another_digest(make: Make, tmp_path: Path) -> None:
    engine = make(tmp_path, Verdict.ALLOW)
    first, again = engine.decide(situation()), engine.decide(situation())
    later = engine.decide(situation(now="2026-01-05T13:00:00Z"))
    other = engine.decide(situation(registered={"owner": "team:other"}))

    assert first == again
    assert later.request != first.request
    assert other.entities != first.entities


@ENGINES
def test_approvals_of_enough_different_people_allow(make: Make, tmp_path: Path) -> None:
    engine = make(tmp_path, Verdict.APPROVAL)
    cases = {
        Verdict.APPROVAL: [
            [],
            [["person:idp:a", ["ops"]]],
            [["person:idp:a", ["ops"]], ["person:idp:a", ["ops"]]],
            [["person:idp:a", ["ops"]], ["person:idp:b", ["others"]]],
        ],
        Verdict.ALLOW: [[["person:idp:a", ["ops"]], ["person:idp:b", ["ops", "others"]]]],
    }
    for verdict, each in cases.items():
        for approvers in each:
            assert engine.decide(situation(approvers=approvers)).verdict is verdict, approvers


@pytest.mark.parametrize("make", [erring_cedar, erring_fixed])
@pytest.mark.parametrize("verdict", list(Verdict))
def test_with_any_error_it_is_a_deny(make: Make, verdict: Verdict, tmp_path: Path) -> None:
    decision = make(tmp_path, verdict).decide(situation())

    assert decision.verdict is Verdict.DENY
    assert decision.errors
    assert decision.why == "engine-errors"
    assert decision.asked is None
    assert decision.max_ttl is None


def test_a_fixed_engine_remembers_what_it_was_asked() -> None:
    engine = Fixed(Verdict.ALLOW, max_ttl=60)
    asked = situation(action="Renew")

    assert engine.decide(asked).max_ttl == 60
    assert engine.situations == [asked]


def test_a_fixed_engine_is_told_what_approvals() -> None:
    with pytest.raises(ValueError, match="what approvals"):
        Fixed(Verdict.APPROVAL)


TEXT = st.text(st.characters(codec=None), max_size=12) | st.sampled_from(["a", "10.0.0.1", '"', "\\", "::1", "\ud800"])
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
NUMBER = st.integers() | st.integers(-(1 << 70), 1 << 70)
PROOF = st.builds(
    Proof,
    method=TEXT,
    issuer=TEXT,
    subject=TEXT,
    workload=TEXT,
    digest=TEXT,
    key=TEXT,
    trust=TEXT,
    expires=TEXT,
    run=st.none() | TEXT,
    claims=st.dictionaries(TEXT, TEXT, max_size=2),
    person=st.booleans(),
)
SITUATION = st.builds(
    Situation,
    action=st.sampled_from(["Issue", "Renew", "Contain", "issue", "Obtain", ""]) | TEXT,
    now=NUMBER,
    environment=TEXT,
    proof=PROOF,
    intent=st.builds(
        Intent,
        backend=TEXT,
        resource=TEXTS,
        details=st.lists(TEXT | st.just('{"type":"t"}'), max_size=2).map(tuple),
        ticket=st.none() | TEXT,
    ),
    registered=st.builds(Registered, identity=TEXT, document=TEXT, owner=st.none() | TEXT, environments=TEXTS),
    backend_kind=TEXT,
    ttl=NUMBER,
    actors=st.lists(st.builds(Actor, subject=TEXT, proof=st.none() | PROOF, claimed=st.booleans()), max_size=2).map(
        tuple
    ),
    approvers=st.lists(st.tuples(TEXT, TEXTS), max_size=2).map(tuple),
    contained=st.booleans(),
    origin=st.none() | TEXT,
)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PolicyEngine]:
    place = tmp_path_factory.mktemp("engines")
    return {
        "nothing": engine_of(place / "nothing", "// no policy at all\n"),
        "forbids": engine_of(place / "forbids", EVERYTHING, FORBIDS),
        "errs": engine_of(
            place / "errs", EVERYTHING, f'@id("e") forbid (principal, action, resource) when {{ {OVERFLOWS} }};'
        ),
        "open": engine_of(place / "open", EVERYTHING),
        "fixed": Fixed(Verdict.DENY),
    }


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(asked=SITUATION)
def test_nothing_raises_and_nothing_is_allowed_that_no_policy_allows(
    engines: dict[str, PolicyEngine], asked: Situation
) -> None:
    for name, engine in engines.items():
        decision = engine.decide(asked)
        assert msgspec.json.encode(decision)
        if name in ("nothing", "forbids", "fixed"):
            assert decision.verdict is Verdict.DENY
        if decision.errors:
            assert decision.verdict is Verdict.DENY
