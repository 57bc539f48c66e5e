"""Where the proof comes from: read afresh, bounded, never shown."""

from __future__ import annotations

import pickle
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from custody.client import GitHubActions, GitLab, JwtSvidFile, TokenFile, TokenVariable
from custody.client.identities import MOST
from custody.errors import BrokerError, UsageError
from tests.client.conftest import TOKEN
from tests.client.wire import answering, asked, canned, response

ASKING = "must-not-stay-asking"


@pytest.mark.parametrize("kind", [TokenFile, JwtSvidFile])
def test_a_file_is_read_each_time(kind: type[TokenFile], tmp_path: Path) -> None:
    path = tmp_path / "token"
    identity = kind(path)
    path.write_text("must-not-stay-1\n")
    first = identity.token()
    path.write_text("must-not-stay-2")

    assert (first.reveal(), identity.token().reveal()) == ("must-not-stay-1", "must-not-stay-2")
    assert "must-not-stay" not in f"{first!r}{first}"
    with pytest.raises(TypeError):
        pickle.dumps(first)


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"must-not-stay two", b"must-not-stay\nmust-not-stay", b"must-not-stay\xff", b"a" * (MOST + 1)]
)
def test_what_is_no_token_is_not_sent(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(raw)
    with pytest.raises(UsageError) as raised:
        TokenFile(tmp_path / "token").token()

    assert "must-not-stay" not in str(raised.value)


def test_a_file_or_variable_that_is_missing_is_named(tmp_path: Path) -> None:
    for identity, where in (
        (TokenFile(tmp_path / "none"), str(tmp_path / "none")),
        (TokenVariable("NONE", {}), "NONE"),
        (TokenVariable("EMPTY", {"EMPTY": ""}), "EMPTY"),
        (GitLab(environment={}), "CUSTODY_ID_TOKEN"),
        (GitHubActions("a", {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x"}), "ACTIONS_ID_TOKEN_REQUEST_URL"),
    ):
        with pytest.raises(UsageError) as raised:
            identity.token()
        assert raised.value.where == where


def test_a_variable_is_read_each_time() -> None:
    environment = {"JOB": "must-not-stay-1"}
    identity = GitLab("JOB", environment)
    first = identity.token().reveal()
    environment["JOB"] = "must-not-stay-2"

    assert (first, identity.token().reveal()) == ("must-not-stay-1", "must-not-stay-2")
    assert identity.hidden == {"JOB"}


def test_github_gives_a_token_for_the_audience() -> None:
    seen: list[bytes] = []

    def play(connection: object, number: int) -> None:
        import socket

        assert isinstance(connection, socket.socket)
        seen.append(asked(connection))
        connection.sendall(response(b'{"count":1,"value":"%s"}' % TOKEN.encode()))

    with answering(play) as url:
        environment = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": ASKING,
        }
        found = GitHubActions("https://broker.example/&x", environment).token()

    assert found.reveal() == TOKEN
    request = seen[0].decode()
    path = request.split(" ")[1]
    assert parse_qs(urlsplit(path).query) == {"api-version": ["2.0"], "audience": ["https://broker.example/&x"]}
    assert f"authorization: bearer {ASKING}" in request.lower()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (response(b'{"value":"must-not-stay"}', status="403 Forbidden"), "no-token"),
        (response(b'{"other":"must-not-stay"}'), "no-token"),
        (response(b"", "Location: /", status="302 Found"), "no-token"),
        (b"must-not-stay", "no-answer"),
    ],
)
def test_github_gives_none(answer: bytes, reason: str) -> None:
    with answering(canned(answer)) as url:
        environment = {"ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": ASKING}
        with pytest.raises(BrokerError) as raised:
            GitHubActions("a", environment).token()

    assert raised.value.reason == reason
    assert "must-not-stay" not in f"{raised.value}{raised.value.advice}"


def test_the_token_that_asks_for_tokens_goes_over_tls() -> None:
    environment = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": "http://issuer.example",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": ASKING,
    }
    with pytest.raises(UsageError, match="a token does not go over this"):
        GitHubActions("a", environment).token()
