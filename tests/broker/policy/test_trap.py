"""The fail-open trap: a policy that errors is skipped, and a permit beside it would allow."""

from __future__ import annotations

from pathlib import Path

import cedarpy
import msgspec
import pytest

from custody.broker.policy import cedar
from custody.broker.policy.cedar import CedarEngine
from custody.broker.policy.engine import Situation
from custody.broker.policy.folder import PolicyFolder
from custody.broker.policy.settling import settled
from custody.model.broker_terms import Verdict
from tests.broker.policy.laying_out import EVERYTHING, OVERFLOWS, engine_of, folder_of, situation

SECRET = "must-not-stay-" + "x" * 8


def test_the_trap_is_there_without_a_schema() -> None:
    """Were this to fail, Cedar would have closed the trap itself."""
    policies = "permit (principal, action, resource); forbid (principal, action, resource) when { context.missing };"
    request = {"principal": 'W::"w"', "action": 'Action::"Issue"', "resource": 'B::"b"', "context": {}}

    found = cedarpy.is_authorized(request, policies, [])

    assert found.decision is cedarpy.Decision.Allow
    assert found.diagnostics.errors


def test_a_forbid_that_errors_beside_a_permit_is_a_deny(tmp_path: Path) -> None:
    engine = engine_of(
        tmp_path, EVERYTHING, f'@id("errs") forbid (principal, action, resource) when {{ {OVERFLOWS} }};'
    )

    decision = engine.decide(situation())

    assert decision.verdict is Verdict.DENY
    assert decision.why == "engine-errors"
    assert decision.policies == ()
    assert [error.partition(":")[0] for error in decision.errors] == ["errs"]
    assert "overflow" in decision.errors[0]


def test_a_permit_that_errors_beside_a_permit_is_a_deny(tmp_path: Path) -> None:
    engine = engine_of(
        tmp_path, EVERYTHING, f'@id("errs") permit (principal, action, resource) when {{ {OVERFLOWS} }};'
    )

    assert engine.decide(situation()).verdict is Verdict.DENY
    assert engine.decide(situation(ttl=1)).verdict is Verdict.ALLOW


def test_a_forbid_that_holds_is_named_beside_one_that_errs(tmp_path: Path) -> None:
    engine = engine_of(
        tmp_path,
        f'@id("errs") forbid (principal, action, resource) when {{ {OVERFLOWS} }};',
        '@id("holds") forbid (principal, action, resource);',
    )

    decision = engine.decide(situation())

    assert decision.why == "engine-errors"
    assert [each.id for each in decision.policies] == ["holds"]


class Handed:
    """A policy set swapped under an engine: what the engine is given, without the folder's checks."""

    def __init__(self, folder: PolicyFolder, **changes: object) -> None:
        self.current = msgspec.structs.replace(folder.current, **changes)


def swapped(place: Path, **changes: object) -> CedarEngine:
    folder = PolicyFolder(folder_of(place, EVERYTHING))
    engine = CedarEngine(folder)
    engine.folder = Handed(folder, **changes)  # type: ignore[assignment]
    return engine


def test_a_forbid_on_an_attribute_that_the_schema_lacks_cannot_be_skipped(tmp_path: Path) -> None:
    """Even unvalidated, as no folder would be: the error is seen, and it is a deny."""
    text = "permit (principal, action, resource); forbid (principal, action, resource) when { context.missing };"
    engine = swapped(tmp_path, handle=cedarpy.PolicySet.from_str(text))

    decision = engine.decide(situation())

    assert decision.verdict is Verdict.DENY
    assert "missing" in decision.errors[0]


def test_a_schema_that_does_not_fit_the_request_is_a_deny_that_quotes_nothing(tmp_path: Path) -> None:
    text = (
        "entity Group; entity Identity; entity Workload; entity Person; entity Backend;"
        'action "Issue" appliesTo { principal: Workload, resource: Backend, context: { purpose: Long } };'
    )
    sound = PolicyFolder(folder_of(tmp_path / "sound", EVERYTHING)).current.schema
    schema = msgspec.structs.replace(sound, text=text, handle=cedarpy.Schema.from_str(text))
    engine = swapped(tmp_path / "swapped", schema=schema)

    decision = engine.decide(situation(intent={"purpose": SECRET}))

    assert decision.verdict is Verdict.DENY
    assert decision.errors
    assert SECRET not in msgspec.json.encode(decision).decode()


@pytest.mark.parametrize(
    "fault", [ValueError, TypeError, RuntimeError, MemoryError, RecursionError, KeyError, BaseException]
)
def test_an_engine_that_raises_has_denied_and_its_words_are_not_kept(
    fault: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(*_: object) -> None:
        raise fault(SECRET)

    engine = engine_of(tmp_path, EVERYTHING)
    monkeypatch.setattr(cedar, "evaluated", raising)

    decision = engine.decide(situation())

    assert decision.verdict is Verdict.DENY
    assert decision.errors == (f"the engine failed: {fault.__name__}",)
    assert decision.policies == ()
    assert SECRET not in repr(decision)


def test_an_interrupt_is_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    engine = engine_of(tmp_path, EVERYTHING)
    monkeypatch.setattr(cedar, "evaluated", interrupted)

    with pytest.raises(KeyboardInterrupt):
        engine.decide(situation())


@pytest.mark.parametrize(
    ("said", "reasons", "errors"),
    [
        ("NoDecision", (), ()),
        ("NoDecision", ("all",), ()),
        ("Allow", (), ()),
        ("Allow", ("nobody",), ()),
        ("Allow", ("all", "nobody"), ()),
        ("Allow", ("never",), ()),
        ("Allow", ("all",), ("an error",)),
        ("Deny", ("all",), ()),
        ("allow", ("all",), ()),
        ("", (), ()),
    ],
)
def test_nothing_but_a_clean_allow_by_permits_of_the_set_allows(
    said: str, reasons: tuple[str, ...], errors: tuple[str, ...], tmp_path: Path
) -> None:
    policies = PolicyFolder(
        folder_of(tmp_path, EVERYTHING, '@id("never") forbid (principal, action, resource);')
    ).current

    found = settled(said, reasons, errors, policies, [])

    assert found.verdict is Verdict.DENY
    assert found.errors
    assert found.why == "engine-errors"


@pytest.mark.parametrize(
    "asked",
    [
        situation(ttl=1 << 64),
        situation(now="0001-01-01T00:00:00Z", ttl=-(1 << 64)),
        situation(intent={"details": ["not json"]}),
        situation(intent={"details": ["{}"]}),
        situation(environment="\ud800"),
        msgspec.structs.replace(situation(), action="Destroy"),
        msgspec.structs.replace(situation(), action="Obtain"),
        msgspec.structs.replace(situation(), now=1 << 80),
        situation(action="Contain"),
    ],
)
def test_what_the_schema_has_no_words_for_is_a_deny(asked: Situation, tmp_path: Path) -> None:
    decision = engine_of(tmp_path, EVERYTHING).decide(asked)

    assert decision.verdict is Verdict.DENY
    assert decision.errors


@pytest.mark.parametrize("action", ["Issue", "Renew"])
def test_a_contained_identity_gets_nothing_whatever_the_policies_say(action: str, tmp_path: Path) -> None:
    decision = engine_of(tmp_path, EVERYTHING).decide(situation(action=action, contained=True))

    assert decision.verdict is Verdict.DENY
    assert decision.why == "contained"
