"""What comes from a side that is no broker, or a broker that is not well: nothing of it is followed or believed."""

from __future__ import annotations

import gzip
import socket
import time
import traceback
from pathlib import Path

import msgspec
import pytest

from custody.client import Broker, TokenVariable
from custody.client import broker as module
from custody.client.carrying import MOST, Answer
from custody.client.refusals import refusal_of
from custody.errors import ApprovalNeeded, BrokerError, IntentRefused, PolicyDenied
from tests.client.conftest import PASSWORD, TOKEN, Place
from tests.client.wire import answering, asked, canned, response
from tests.serve.desk import asked_id, chain

SOUND = {
    "issued_token_type": "custody:memory",
    "token_type": "N_A",
    "expires_in": 1,
    "credential": {"password": PASSWORD},
    "custody": {
        "chain": chain(1),
        "receipt": f"{chain(1)}@1",
        "request": asked_id(1),
        "not_after": "2026-01-01T00:00:00Z",
    },
}


def changed(**custody: object) -> bytes:
    return msgspec.json.encode({**SOUND, "custody": {**SOUND["custody"], **custody}})  # type: ignore[dict-item]


STRANGE: dict[str, tuple[bytes, str]] = {
    "redirected": (response(b"", "Location: http://127.0.0.1:1/", status="307 Temporary Redirect"), "malformed-answer"),
    "a page": (response(b"<html>must-not-stay</html>"), "malformed-answer"),
    "a page with a status": (response(b"<html>must-not-stay</html>", status="404 Not Found"), "malformed-answer"),
    "a gateway": (response(b"<html>must-not-stay</html>", status="502 Bad Gateway"), "busy"),
    "nothing": (response(b""), "malformed-answer"),
    "too much": (response(b'"' + b"a" * MOST + b'"'), "malformed-answer"),
    "compressed": (response(gzip.compress(changed()), "Content-Encoding: gzip"), "malformed-answer"),
    "torn": (response(changed())[:-5], "no-answer"),
    "no HTTP": (b"must-not-stay\r\n\r\n", "no-answer"),
    "no time": (response(changed(not_after="must-not-stay")), "malformed-answer"),
    "no zone": (response(changed(not_after="2026-01-01T00:00:00")), "malformed-answer"),
    "no chain": (response(changed(chain="cc-must-not-stay")), "malformed-answer"),
    "a receipt with a line end": (response(changed(receipt="a\nmust-not-stay")), "malformed-answer"),
    "no object": (response(b'["must-not-stay"]'), "malformed-answer"),
    "a field that is none": (response(msgspec.json.encode({**SOUND, "credential": {"a": 1}})), "malformed-answer"),
}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSES", (0.0,))


def of(url: str, timeout: float = 30.0) -> Broker:
    return Broker(url, TokenVariable("T", {"T": TOKEN}), timeout=timeout)


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_answer_of_a_broker_is_not_taken(name: str) -> None:
    answer, reason = STRANGE[name]
    with answering(canned(answer)) as url, of(url) as broker, pytest.raises(BrokerError) as raised:
        broker.exchange("vault")

    assert raised.value.reason == reason
    assert raised.value.advice
    assert "must-not-stay" not in "".join(traceback.format_exception(raised.value)) + raised.value.advice


def test_the_sound_one_is_taken() -> None:
    with answering(canned(response(changed()))) as url, of(url) as broker:
        assert broker.exchange("vault").fields == {"password": PASSWORD}


def test_a_slow_answer_is_not_waited_for_for_ever() -> None:
    def dribble(connection: socket.socket, number: int) -> None:
        asked(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(40):
            connection.sendall(b" ")
            time.sleep(0.02)

    with answering(dribble) as url, of(url, 0.1) as broker:
        begun = time.monotonic()
        with pytest.raises(BrokerError) as raised:
            broker.exchange("vault")
        took = time.monotonic() - begun

    assert raised.value.reason == "no-answer"
    assert took < 1.5


def test_nothing_is_taken_from_the_environment(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password must-not-stay\n")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("NETRC", str(netrc))
    with of(place.url) as broker:
        assert broker.exchange("vault", scope="read").chain


def test_an_echoed_token_is_not_repeated() -> None:
    body = msgspec.json.encode(
        {"error": "invalid_request", "error_description": f"not {TOKEN}", "reason": TOKEN.upper(), "advice": TOKEN}
    )
    answer = canned(response(body, status="400 Bad Request"))
    with answering(answer) as url, of(url) as broker, pytest.raises(IntentRefused) as raised:
        broker.exchange("vault")

    assert raised.value.reason == "invalid-request"
    assert TOKEN not in f"{raised.value}{raised.value.advice}"


@pytest.mark.parametrize(
    ("told", "status", "kind", "reason", "pause"),
    [
        ({"error": "slow_down", "request_id": asked_id(1), "interval": 7}, 400, ApprovalNeeded, "slow-down", 7.0),
        ({"error": "authorization_pending", "request_id": asked_id(1)}, 400, ApprovalNeeded,
         "authorization-pending", 5.0),
        ({"reason": "approval-needed", "request_id": asked_id(1), "interval": 1e9}, 409, ApprovalNeeded,
         "approval-needed", 60.0),
        ({"reason": "approval-needed", "request_id": asked_id(1), "interval": -3}, 409, ApprovalNeeded,
         "approval-needed", 0.0),
        ({"reason": "rate-limited"}, 429, PolicyDenied, "rate-limited", 9.0),
        ({"error": "access_denied"}, 400, PolicyDenied, "access-denied", 9.0),
        ({"error": "\x1b[31m"}, 418, IntentRefused, "unnamed", 9.0),
        ({"reason": "unforeseen"}, 500, BrokerError, "unforeseen", 9.0),
    ],
)  # fmt: skip
def test_refusals_in_every_form(
    told: dict[str, object], status: int, kind: type[BrokerError], reason: str, pause: float
) -> None:
    retry = 9.0 if kind is not ApprovalNeeded else 0.0
    found = refusal_of(Answer(status=status, body=msgspec.json.encode(told), retry=retry), "https://b.example")

    assert (type(found.error), found.error.reason, found.pause) == (kind, reason, pause)


def test_a_hostile_text_is_one_line_and_short() -> None:
    body = msgspec.json.encode({"reason": "x", "detail": "a\n\x1b[2J\u202e" + "b" * 9999, "request_id": ""})
    found = refusal_of(Answer(status=400, body=body), "https://b.example")

    assert found.error.message.isprintable()
    assert len(found.error.message) == 500
