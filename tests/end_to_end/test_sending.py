"""Sending over HTTP to a real server: batches, answers, what is tried again, and where the token may go."""

from __future__ import annotations

import json
import traceback
from pathlib import Path

import pytest

from custody.errors import UsageError
from custody.pipeline import sending
from custody.pipeline.sending import Sender, batches, token_of
from tests.end_to_end.http_sink import Answer, certificate, listening

TOKEN = "token-must-not-stay"
NDJSON = "application/x-ndjson"


def line(leaf: int, size: int = 0) -> bytes:
    return json.dumps({"metadata": {"sequence": leaf}, "pad": "x" * size}).encode() + b"\n"


LINES = [line(leaf) for leaf in range(10)]


def test_lines_arrive_whole_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "BATCH", 100)
    with listening() as sink:
        sender = Sender(sink.url + "?index=nhi", token=TOKEN, scheme="Splunk")
        monkeypatch.setattr(batches, "__defaults__", (100,))
        sender.lines(LINES, NDJSON)

    assert sink.body == b"".join(LINES)
    assert sender.batches == len(sink.requests) == 5
    path, headers, _ = sink.requests[0]
    assert path == "/in?index=nhi"
    assert headers["Authorization"] == f"Splunk {TOKEN}"
    assert headers["Content-Type"] == NDJSON
    assert "index" not in sender.shown


def test_batches_hold_what_fits_and_no_line_is_cut() -> None:
    long = line(99, size=500)
    found = list(batches([LINES[0], LINES[1], long, LINES[2]], limit=2 * len(LINES[0])))

    assert found == [LINES[0] + LINES[1], long, LINES[2]]
    assert list(batches([])) == []


def test_a_document_goes_in_one_request() -> None:
    with listening() as sink:
        Sender(sink.url).whole([b"{", b"}"], "application/json")

    ((_, headers, body),) = sink.requests
    assert (body, headers["Content-Length"]) == (b"{}", "2")
    assert "Authorization" not in headers


@pytest.mark.parametrize("status", [408, 429, 500, 503, 0])
def test_what_may_be_otherwise_in_a_moment_is_tried_again(status: int) -> None:
    waited: list[float] = []
    with listening(Answer(status), Answer(status)) as sink:
        sender = Sender(sink.url, sleep=waited.append)
        sender.whole([b"abc"], NDJSON)

    assert waited == [0.5, 1.0]
    assert [body for _, _, body in sink.requests] == [b"abc"] * 3
    assert (sender.batches, sender.retries) == (1, 2)


def test_what_the_other_side_asks_to_wait_is_waited_within_bounds() -> None:
    waited: list[float] = []
    answers = [Answer(429, Retry_After=text) for text in ("7", "86400", "Wed, 21 Oct 2026 07:28:00 GMT")]
    with listening(*answers) as sink:
        Sender(sink.url, sleep=waited.append).lines(LINES, NDJSON)

    assert waited == [7.0, 30.0, 2.0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_what_will_not_change_is_not_tried_again(status: int) -> None:
    with listening(Answer(status)) as sink, pytest.raises(UsageError) as caught:
        Sender(sink.url).lines(LINES, NDJSON)

    assert str(status) in caught.value.found
    assert caught.value.advice == "go on with --since 0"
    assert len(sink.requests) == 1


def test_trying_ends_and_says_where_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "__defaults__", (len(LINES[0]),))
    with listening(Answer(200), Answer(200), *[Answer(503)] * 9) as sink, pytest.raises(UsageError) as caught:
        Sender(sink.url, sleep=lambda seconds: None).lines(LINES, NDJSON)

    assert "after 2 batches that were taken" in caught.value.found
    assert caught.value.advice == "go on with --since 2"
    assert len(sink.requests) == 2 + sending.ATTEMPTS


def test_nobody_there_is_an_error_of_one_line() -> None:
    with listening() as sink:
        url = sink.url
    with pytest.raises(UsageError, match="cannot be sent") as caught:
        Sender(url, token=TOKEN, sleep=lambda seconds: None).lines(LINES, NDJSON)

    assert TOKEN not in str(caught.value)


def test_a_redirect_is_not_followed() -> None:
    with listening() as other, listening(Answer(307, Location=other.url)) as sink:
        with pytest.raises(UsageError, match="redirects are not followed"):
            Sender(sink.url, token=TOKEN).lines(LINES, NDJSON)

        assert other.requests == []


def test_a_token_stands_in_no_error_even_where_the_other_side_repeats_it() -> None:
    with listening(Answer(401, f"bad {TOKEN}")) as sink, pytest.raises(UsageError) as caught:
        Sender(sink.url, token=TOKEN).lines(LINES, NDJSON)

    assert "bad …" in caught.value.found
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(tls=certificate(tmp_path)) as sink:
        with pytest.raises(UsageError, match="certificate is not trusted"):
            Sender(sink.url, token=TOKEN).lines(LINES, NDJSON)
        assert sink.requests == []

        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        Sender(sink.url, token=TOKEN).lines(LINES, NDJSON)
        assert sink.body == b"".join(LINES)


@pytest.mark.parametrize(
    "url",
    [
        "", "ftp://example.com/", "https:///in", "https://example.com:port/", "https://[::1/", "https://exa mple.com/",
        "https://example.com/\n", "file:///etc/passwd", "https://user:must-not-stay@example.com/",
        "http://example.com/in", "http://127.0.0.1.example.com/", "http://10.0.0.1/", "http://localhost.example.com/",
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_trusted_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Sender(url)

    assert "must-not-stay" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://[::1]:8088/", "http://localhost/", "https://example.com/"]
)
def test_this_machine_and_https_are_taken(url: str) -> None:
    assert Sender(url).shown == url
    assert Sender("http://10.0.0.1/", insecure=True).shown == "http://10.0.0.1/"


@pytest.mark.parametrize(
    "text", ["", "  \n", "must-not-stay\nX-Header: 1", "must-not-stay\x00", "ünicode-must-not-stay"]
)
def test_a_token_that_no_header_can_carry_is_refused_unseen(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        token_of(text, "token.txt")

    assert "must-not-stay" not in str(caught.value)
    assert token_of(f" {TOKEN}\n", "token.txt") == TOKEN
