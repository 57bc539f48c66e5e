"""Break-glass by way of the service: what the client asks and is told, and how aloud it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import pytest

from custody.broker.desk import Standing
from custody.broker.proof.prover import Presented, Proved
from custody.cli import main
from custody.cli.exits import CODES
from custody.client import Broker, TokenFile
from custody.client.broker import Asked
from custody.errors import IntentRefused, PolicyDenied
from custody.serve.token_form import Form, intent_of
from tests.broker.test_break_glass import EMERGENCY, Judged
from tests.serve.running import Lines, parts_of, served

TOKEN = "must-not-stay-token"
WHY: Asked = {"reason": "approvers cannot be reached", "ticket": "INC-7"}


class Known(Judged):
    """Everybody with the token is the workload ``deploy``."""

    async def _prove(self, presented: Presented, now: int) -> Proved:
        assert presented.token == TOKEN.encode()
        return await super()._prove(Presented(token=b"deploy"), now)


class Place(NamedTuple):
    url: str
    trial: Known
    lines: Lines
    token: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("served")
    trial, parts = Known(folder / "policies", EMERGENCY), parts_of(folder)
    asyncio.run(trial.broker.start())
    (folder / "token").write_text(TOKEN)
    assert isinstance(parts.log, Lines)
    with served(trial.broker, parts) as port:
        yield Place(f"http://127.0.0.1:{port}", trial, parts.log, folder / "token")


def counted(place: Place) -> float:
    with urlopen(f"{place.url}/metrics") as answer:
        text = answer.read().decode()
    lines = [line for line in text.splitlines() if line.startswith('custody_decisions_total{outcome="break-glass"}')]
    return float(lines[0].rpartition(" ")[2]) if lines else 0.0


def test_it_is_asked_for_by_name_and_told_aloud(place: Place) -> None:
    before = counted(place)
    asked: Asked = {**WHY, "scope": "read", "break_glass": True}
    with Broker(place.url, TokenFile(place.token)) as broker:
        credential = broker.exchange("vault", **asked)
    assert credential.review is not None
    assert credential.review_by == "2026-11-22T12:30:00Z"
    assert counted(place) == before + 1
    (line,) = [each for each in place.lines.all() if each["event"] == "break-glass" and credential.chain in str(each)]
    assert line["level"] == "warning"
    assert credential.review in str(line["told"])
    assert not [each for each in place.lines.raw if b"must-not-stay" in each]


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({}, PolicyDenied),
        ({"break_glass": False}, PolicyDenied),
        ({"break_glass": True, "ticket": None}, IntentRefused),
    ],
)
def test_it_is_not_given_to_who_does_not_ask_for_it_so(place: Place, more: Asked, kind: type[Exception]) -> None:
    before, lines = counted(place), len(place.lines.all())
    asked: Asked = {"scope": "read", **WHY, **more}
    with Broker(place.url, TokenFile(place.token)) as broker, pytest.raises(kind):
        broker.exchange("vault", **asked)
    assert counted(place) == before
    assert not [each for each in place.lines.all()[lines:] if each["event"] == "break-glass"]


@pytest.mark.parametrize(
    ("given", "expected"), [("", False), ("&break_glass=false", False), ("&break_glass=true", True)]
)
def test_nothing_but_the_word_true_is_a_yes(given: str, expected: bool) -> None:
    assert intent_of(Form(f"backend=vault{given}".encode())).break_glass is expected


@pytest.mark.parametrize("given", ["True", "1", "yes", "true&break_glass=true", "%20true"])
def test_what_is_neither_is_refused(given: str) -> None:
    with pytest.raises(IntentRefused):
        intent_of(Form(f"backend=vault&break_glass={given}".encode()))


def test_the_command_says_who_has_to_approve_it_by_when(
    place: Place, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asks = ["lease", "--broker", place.url, "--token-file", str(place.token), "--backend", "vault", "--scope", "read"]
    why = ["--break-glass", "--reason", str(WHY["reason"]), "--ticket", str(WHY["ticket"])]
    code = main([*asks, *why, "--", "touch", str(tmp_path / "done")])
    told = capsys.readouterr()
    assert code == 0, told.err
    assert (tmp_path / "done").exists()
    assert "custody approve rq-" in told.err
    assert "until 2026-11-22T12:30:00Z" in told.err
    assert "must-not-stay" not in told.out + told.err
    chain = told.err.partition(" as ")[2].split()[0]
    assert place.trial.broker.running.state.leases[chain].standing is Standing.ENDED

    assert main([*asks, "--break-glass", "--reason", "x", "--", "true"]) == CODES["usage"]
