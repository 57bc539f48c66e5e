"""The text that people approve: the same for ever, nothing left out, nothing that hides."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.broker import shown
from custody.broker.approvals.decision import cleaned, signed_text
from custody.model.broker_terms import Intent
from custody.model.brokered import Request
from tests.broker.approvals.requests import (
    BROKER,
    CHAIN,
    NOW,
    RQ,
    SECOND,
    WITHIN,
    acting,
    decision,
    identifier,
    proof,
    request,
)


def text(body: Request) -> bytes:
    return shown.shown_of(body, BROKER, CHAIN)


def test_it_says_who_asks_for_what_why_and_until_when() -> None:
    told = json.loads(text(request()))

    assert (told["request"], told["broker"], told["chain"]) == (RQ, BROKER, CHAIN)
    assert told["proof"]["claims"]["actor"] == "dora"
    assert told["intent"]["purpose"] == "a release"
    assert told["approvals"] == {"count": 1, "group": "releasers", "within": WITHIN}
    assert told["not_after"] == "2026-11-22T10:15:00Z"
    assert told["decision"]["policy_set"] == "3" * 64


def test_it_rests_on_nothing_that_is_known_only_when_the_entry_is_written() -> None:
    body = request()

    assert text(msgspec.structs.replace(body, digest="f" * 64, trace="a", origin="192.0.2.1")) == text(body)


@pytest.mark.parametrize(
    "changed",
    [
        {"proof": proof(subject="repo:acme/other")},
        {"proof": proof(claims={"actor": "eve"})},
        {"proof": proof(run="github_run:github:78/1")},
        {"intent": Intent(backend="orders", scope=("write",))},
        {"intent": Intent(backend="orders", details=('{"type":"x"}',))},
        {"intent": Intent(backend="orders", ttl=601)},
        {"actors": acting("ann")},
        {"registered": None},
        {"count": 2},
        {"request": identifier(2)},
    ],
    ids=["subject", "claims", "run", "scope", "details", "ttl", "actors", "identity", "count", "request"],
)
def test_another_request_is_another_text(changed: dict[str, object]) -> None:
    other = request(**changed)

    assert text(other) != text(request())
    assert other.digest != request().digest


def test_the_broker_and_the_chain_belong_to_it() -> None:
    texts = {shown.shown_of(request(), broker, chain) for broker in ("one", "two") for chain in ("cc-a", "cc-b")}

    assert len(texts) == 4


@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_is_asked_it_is_plain_ascii_and_loses_nothing(purpose: str, scope: str) -> None:
    found = text(request(intent=Intent(backend="orders", purpose=purpose, scope=(scope,))))

    assert found.endswith(b"}\n")
    assert all(0x20 <= byte < 0x7F or byte == 0x0A for byte in found)
    assert json.loads(found)["intent"].get("purpose") == purpose


@pytest.mark.parametrize("bad", ["", "rq-", "rq-" + "0" * 25, "cc-" + "0" * 26, "rq-" + "i" * 26, "rq-8" + "0" * 25])
def test_the_time_of_a_request_is_in_its_id(bad: str) -> None:
    assert shown.asked_at(identifier(7, NOW)) == NOW
    assert shown.lapses(request()) == NOW + WITHIN * SECOND
    with pytest.raises(ValueError, match="not the id"):
        shown.asked_at(bad)


@pytest.mark.parametrize(
    "changed",
    [
        {"verdict": "deny"},
        {"reason": "another"},
        {"until": None},
        {"digest": "0" * 64},
        {"request": "rq-x"},
        {"broker": "other"},
        {"chain": "cc-x"},
    ],
    ids=lambda each: next(iter(each)),
)
def test_what_is_signed_holds_everything_that_is_decided(changed: dict[str, object]) -> None:
    assert signed_text(decision(**changed)) != signed_text(decision())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("planned", "planned"),
        ("  planned \n\t release ", "planned release"),
        ("a\u202eb\u200bc\x1b[31m", "a b c [31m"),
        ("x" * 500, "x" * 500),
    ],
)
def test_a_reason_is_one_line_of_what_shows(text: str, found: str) -> None:
    assert cleaned(text) == found


@pytest.mark.parametrize("text", ["", " \n ", "\u200b", "x" * 501])
def test_a_reason_that_says_nothing_or_too_much_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="1 to 500"):
        cleaned(text)
