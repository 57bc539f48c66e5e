"""The library against the real service: what is asked, what comes back, what is tried again, what stays secret."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

import msgspec
import pytest

from custody.broker.desk import Standing
from custody.broker.proof.refusals import REASONS
from custody.client import Broker, TokenFile, TokenVariable
from custody.client.carrying import Answer, Carrier
from custody.client.refusals import IDENTITY
from custody.errors import (
    ApprovalNeeded,
    BackendFailed,
    BrokerError,
    CustodyError,
    EvidenceUnavailable,
    IdentityRefused,
    IntentRefused,
    NotFound,
    PolicyDenied,
    UsageError,
)
from custody.model.broker_terms import Intent
from custody.model.brokered import Issued, Request
from tests.broker.trial import BERT
from tests.client.conftest import PASSWORD, TOKEN, Place, Told
from tests.client.wire import answering, losing
from tests.serve.desk import asked_id, chain


class Hours:
    """A clock that goes on only while somebody sleeps; what happens then can be said."""

    def __init__(self, *events: object) -> None:
        self.time, self.slept = 0.0, list[float]()
        self._events = list(events)

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.slept.append(seconds)
        if self._events and callable(event := self._events.pop(0)):
            event()


@contextmanager
def patient(place: Place, hours: Hours) -> Iterator[Broker]:
    with Broker(place.url, TokenFile(place.token), sleep=hours.sleep, monotonic=hours.monotonic) as made:
        yield made


def test_a_credential_comes_with_its_receipt(broker: Broker, place: Place) -> None:
    found = broker.exchange("vault", scope="read", purpose="nightly report", ttl=600)

    assert found.kind == "postgresql"
    assert dict(found.fields) == {
        "username": "cc_role",
        "password": PASSWORD,
        "host": "db.example",
        "port": "5433",
        "database": "shop",
    }
    assert found.receipt == f"{found.chain}@{place.trial.broker.running.state.leases[found.chain].decided}"
    assert found.expires == datetime(2026, 11, 22, 12, 10, tzinfo=UTC)
    assert found.expires_text == "2026-11-22T12:10:00Z"
    assert (found.scope, found.keys) == (("read",), (f"custom:memory-vault:{found.chain}",))


def test_all_that_is_asked_for_reaches_the_broker(told: Told) -> None:
    with Broker(told.url, TokenFile(told.token)) as broker:
        broker.exchange(
            "database", audience=["a", "b"], resource="https://r.example/?a=b&c", scope=("read", "write"),
            details=[{"type": "payment", "amount": 1.5}], purpose="a purpose — ünd", ticket="T-1", run="r", ttl=60,
            parent=chain(1), idempotency="key-1", actor=TokenVariable("ACTOR", {"ACTOR": "must-not-stay-actor"}),
        )  # fmt: skip

    assert told.desk.asked == [
        ("exchange", Intent(
            backend="database", audience=("a", "b"), resource=("https://r.example/?a=b&c",), scope=("read", "write"),
            details=('{"type":"payment","amount":1.5}',), purpose="a purpose — ünd", ticket="T-1", run="r", ttl=60,
            parent=chain(1),
        ))
    ]  # fmt: skip
    (caller,) = told.desk.callers
    assert caller.idempotency == "key-1"
    assert caller.actor is not None
    assert caller.actor.token == b"must-not-stay-actor"


def test_a_credential_shows_itself_nowhere(broker: Broker, place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    place.lines.raw.clear()
    with broker.lease("vault", scope="read") as found:
        shown = [repr(found), str(found), repr(found.fields), f"{found.fields}", repr(broker), caplog.text]
    for copied in (pickle.dumps, msgspec.json.encode, msgspec.msgpack.encode, copy.copy):
        with pytest.raises(TypeError):
            copied(found.fields)

    assert "password" in shown[0]
    assert "must-not-stay" not in "".join(shown)
    assert "POST" in caplog.text
    assert b"must-not-stay" not in b"".join(place.lines.raw)


def test_a_lease_ends_with_its_block(broker: Broker, place: Place) -> None:
    leasing = broker.lease("vault", scope="read")
    with leasing as found:
        assert place.trial.standing(found.chain) is Standing.LIVE

    assert leasing.ended is not None
    assert (leasing.ended.lease.standing, leasing.ended.lease.effect) == ("ended", "gone")
    assert place.trial.standing(found.chain) is Standing.ENDED


def test_a_lease_ends_with_a_block_that_fails(broker: Broker, place: Place) -> None:
    leasing = broker.lease("vault", scope="read")
    with pytest.raises(ZeroDivisionError), leasing:
        raise ZeroDivisionError

    assert leasing.credential is not None
    assert place.trial.standing(leasing.credential.chain) is Standing.ENDED


def test_what_the_broker_did_not_see_end_is_said(broker: Broker, place: Place) -> None:
    found = broker.exchange("vault", scope="read")
    place.trial.memory.open(found.chain, stubborn=True)
    ended = broker.complete(found.chain)

    assert (ended.lease.standing, ended.lease.effect) == ("surviving", "sessions")


def test_an_error_of_the_block_goes_on_where_nothing_can_be_given_back(told: Told) -> None:
    with Broker(told.url, TokenFile(told.token)) as broker:
        with pytest.raises(ZeroDivisionError) as raised, broker.lease("database"), _going_down(told):
            raise ZeroDivisionError
        told.desk.forget()
        with pytest.raises(EvidenceUnavailable), broker.lease("database"), _going_down(told):
            pass

    (note,) = raised.value.__notes__
    assert note.startswith(f"{chain(1)} was not given back: ")


@contextmanager
def _going_down(told: Told) -> Iterator[None]:
    told.desk.error = EvidenceUnavailable("no room", reason="journal-failed")
    yield


def test_an_answer_that_is_lost_is_asked_for_again_and_issued_once(place: Place) -> None:
    before = len(place.trial.bodies(Issued))
    hours = Hours()
    with (
        answering(losing(place.url, 2)) as url,
        Broker(url, TokenFile(place.token), sleep=hours.sleep, monotonic=hours.monotonic) as broker,
    ):
        found = broker.exchange("vault", scope="read")
        ended = broker.complete(found.chain)

    assert hours.slept == [0.1, 0.4]
    assert len(place.trial.bodies(Issued)) == before + 1
    assert (ended.lease.chain, ended.lease.standing) == (found.chain, "ended")


def test_a_broker_that_is_not_there_is_no_refusal() -> None:
    hours = Hours()
    token = TokenVariable("T", {"T": TOKEN})
    broker = Broker("http://127.0.0.1:1", token, sleep=hours.sleep, monotonic=hours.monotonic)
    with pytest.raises(BrokerError) as raised:
        broker.exchange("vault")

    assert (type(raised.value), raised.value.reason, len(hours.slept)) == (BrokerError, "unreachable", 3)
    assert raised.value.where == "http://127.0.0.1:1"
    assert raised.value.advice
    assert "must-not-stay" not in "".join(traceback.format_exception(raised.value))


def test_without_waiting_the_request_is_named(broker: Broker, place: Place) -> None:
    place.trial.needing()
    with pytest.raises(ApprovalNeeded) as raised:
        broker.exchange("vault", scope="read")
    place.trial.granted(raised.value.found)
    found = broker.fetch(raised.value.found)

    assert found.request == raised.value.found
    assert place.trial.bodies(Request)[-1].approvals[0].approver == BERT.key


def test_waiting_goes_on_until_people_approved(place: Place) -> None:
    place.trial.needing()
    pending: list[str] = []
    hours = Hours(None, lambda: place.trial.granted(pending[0]))
    with patient(place, hours) as broker:
        found = broker.exchange("vault", scope="read", wait=600, on_pending=pending.append)

    assert [found.request] == pending
    assert len(hours.slept) == 2
    assert hours.slept[0] == 0.02


def test_waiting_ends_with_a_denial(place: Place) -> None:
    place.trial.needing()
    pending: list[str] = []
    hours = Hours(lambda: place.trial.approve(pending[0], BERT, "deny"))
    with patient(place, hours) as broker, pytest.raises(PolicyDenied) as raised:
        broker.exchange("vault", scope="read", wait=600, on_pending=pending.append)

    assert raised.value.reason == "request-rejected"


def test_waiting_ends_when_its_time_is_over(place: Place) -> None:
    place.trial.needing()
    hours = Hours()
    with patient(place, hours) as broker:
        with pytest.raises(ApprovalNeeded) as raised:
            broker.exchange("vault", scope="read", wait=0.1)
        with pytest.raises(ApprovalNeeded) as again:
            broker.fetch(raised.value.found)

    assert hours.time <= 0.1
    assert len(hours.slept) >= 2
    assert raised.value.found.startswith("rq-")
    assert again.value.found == raised.value.found


def test_a_renewal_takes_over(broker: Broker, place: Place) -> None:
    first = broker.exchange("vault", scope="read", ttl=60)
    second = broker.renew(first.chain, reason="the report is long", ttl=120)

    assert place.trial.standing(first.chain) is Standing.ENDED
    assert (second.expires - first.expires).total_seconds() == 60
    with pytest.raises(IntentRefused) as raised:
        broker.renew(first.chain, reason="again")
    assert raised.value.reason == "not-live"


def test_leases_are_listed_page_by_page_for_people(told: Told) -> None:
    with Broker(told.url, TokenVariable("T", {"T": "must-not-stay-auditor"})) as broker:
        every = list(broker.leases(standing="live"))
    with Broker(told.url, TokenFile(told.token)) as broker, pytest.raises(IdentityRefused):
        list(broker.leases())

    assert [each.chain for each in every] == [chain(number) for number in range(1, 6)]
    assert every[0].not_after == datetime(2026, 9, 21, 14, 28, 20, tzinfo=UTC)


REFUSALS: list[tuple[CustodyError, type[BrokerError], str]] = [
    (IdentityRefused("no", reason="token-expired"), IdentityRefused, "token-expired"),
    (IdentityRefused("no", reason="not-registered"), IdentityRefused, "not-registered"),
    (IntentRefused("no", reason="malformed-scope", where="scope"), IntentRefused, "malformed-scope"),
    (IntentRefused("no", reason="idempotency-key-used"), IntentRefused, "idempotency-key-used"),
    (PolicyDenied("no", reason="policy-denied"), PolicyDenied, "policy-denied"),
    (PolicyDenied("no", reason="lapsed"), PolicyDenied, "lapsed"),
    (PolicyDenied("no", reason="contained"), PolicyDenied, "contained"),
    (ApprovalNeeded("no", reason="approval-needed", found=asked_id(1)), ApprovalNeeded, "approval-needed"),
    (BackendFailed("no", reason="unreachable-database"), BackendFailed, "unreachable-database"),
    (EvidenceUnavailable("no", reason="journal-failed"), EvidenceUnavailable, "journal-failed"),
    (EvidenceUnavailable("no", reason="standby"), EvidenceUnavailable, "standby"),
    (NotFound("no"), IntentRefused, "not-found"),
]


@pytest.mark.parametrize(("error", "kind", "reason"), REFUSALS, ids=[each[2] for each in REFUSALS])
@pytest.mark.parametrize("door", ["token", "leases"])
def test_every_refusal_comes_back_as_itself(
    told: Told, door: str, error: CustodyError, kind: type[BrokerError], reason: str
) -> None:
    hours = Hours()
    broker = Broker(told.url, TokenFile(told.token), sleep=hours.sleep, monotonic=hours.monotonic)
    ask: Callable[[], object] = partial(broker.exchange, "database")
    if door == "leases":
        ask = partial(broker.complete, chain(1))
    with broker, told.desk.failing(error), pytest.raises(BrokerError) as raised:
        ask()

    assert (type(raised.value), raised.value.reason) == (kind, reason)
    assert raised.value.where == told.url
    assert "under trace " in raised.value.advice
    assert len(told.desk.asked) == (4 if reason == "standby" else 1)
    assert "must-not-stay" not in f"{raised.value}{raised.value.advice}"
    if kind is ApprovalNeeded:
        assert raised.value.found == asked_id(1)


def test_every_reason_about_who_asks_is_known_as_such() -> None:
    assert set(REASONS) - IDENTITY == {"too-large"}  # which is also said of requests


@pytest.mark.parametrize("url", ["http://broker.example", "ftp://broker.example", "broker.example", "https://", "",
    "https://user:must-not-stay@broker.example", "https://b.example/#x", "https://b.example/?q", "http://127.0.0.1.x",
    "http://[::1", "https://b.example:port", "http://10.0.0.1", "https://b exa.mple"])  # fmt: skip
def test_a_token_goes_only_where_nobody_listens(url: str) -> None:
    with pytest.raises(UsageError) as raised:
        Broker(url, TokenVariable("T", {"T": TOKEN}))

    assert "must-not-stay" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8440/", "http://[::1]:1", "http://localhost", "https://b.example/p"])
def test_a_token_may_go_over_tls_or_to_this_machine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def ask(_: Carrier, method: str, where: str, headers: Mapping[str, str], content: bytes | None = None) -> Answer:
        assert (method, content) == ("GET", None)
        asked.append((where, headers["authorization"]))
        raise EvidenceUnavailable("as far as this goes", reason="tls")

    monkeypatch.setattr(Carrier, "ask", ask)
    with Broker(url, TokenVariable("T", {"T": TOKEN})) as broker, pytest.raises(EvidenceUnavailable):
        next(broker.leases())

    assert asked == [(f"{url.rstrip('/')}/leases", f"Bearer {TOKEN}")]


@pytest.mark.parametrize("key", ["a b", 'a"b', "é", "a\r\nb", "a" * 256])
def test_an_idempotency_key_is_one(broker: Broker, key: str) -> None:
    with pytest.raises(UsageError):
        broker.exchange("vault", scope="read", idempotency=key)
