"""``custody request``, ``approve`` and ``deny`` as people run them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from custody.cli import main
from custody.cli.exits import CODES
from custody.pipeline import approvals
from custody.pipeline.approving import signing
from custody.store.verification import verify
from tests.broker.approvals.requests import ANN, BOB, NOW, RQ, SECOND, Estate, proof, request
from tests.ssh_signing import ANN as ANN_SIGNS
from tests.ssh_signing import BOB as BOB_SIGNS
from tests.ssh_signing import Person

REASON = ("--reason", "the release is planned")
FILE = f"""
broker = "tunnel"
issuer = "https://tunnel.example.com"
[approvals.groups]
releasers = ["{ANN}"]
"""


class Line:
    """A store with one sealed request, and a command line of the account that approves."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.estate, self.capsys = folder, Estate(folder), capsys
        self.estate.seal([request()])
        (folder / "allowed").write_text(ANN_SIGNS.line() + BOB_SIGNS.line())
        (folder / "broker.toml").write_text(FILE)

    def run(self, *words: str, code: str = "done") -> str:
        reading = words[0] == "request"
        keys = () if reading else ("--keys", "keys", "--approval-keys", "approver", "--signers", "allowed")
        places = [word if word.startswith("--") else str(self.folder / word) for word in keys]
        assert main([*words, "--store", str(self.estate.root), *places]) == CODES[code]
        self.told = self.capsys.readouterr()
        return self.told.out

    def json(self, *words: str, code: str = "done") -> dict[str, object]:
        found: dict[str, object] = json.loads(self.run(*words, "--json", code=code))
        return found

    def error(self, *words: str, code: str) -> str:
        """The sentence of an error."""
        told = self.json(*words, code=code)["error"]
        assert isinstance(told, dict)
        return f"{told['message']} {told['found']}"

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def sign(self, person: Person, *words: str) -> Sequence[str]:
        """Write what is to be signed and sign it; gives the options that hand the signature over."""
        self.run(*words, "--write", self.path("text"))
        data = (self.folder / "text").read_bytes()
        (self.folder / "text.sig").write_bytes(person.sign(data, space="custody-approval"))
        return (*words, "--signature", self.path("text.sig"))


@pytest.fixture
def line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.setattr(signing, "now", lambda: NOW + 60 * SECOND)
    return Line(tmp_path, capsys)


def test_a_request_is_listed_shown_signed_and_granted(line: Line) -> None:
    assert f"{RQ}" in line.run("request", "list")
    assert "1 request" in line.told.out
    shown = line.json("request", "show", RQ)["request"]
    assert isinstance(shown, dict)
    assert (shown["state"], shown["digest"], shown["group"]) == ("pending", request().digest, "releasers")
    text = line.run("request", "show", RQ, "--all")
    assert str(shown["shown"]) in text
    words = line.sign(ANN_SIGNS, "approve", RQ, *REASON)
    assert approvals.everything(line.estate.root).said == ()

    found = line.json(*words, "--broker-file", line.path("broker.toml"), "--digest", request().digest)

    assert (found["verdict"], found["approver"], found["method"]) == ("grant", ANN, "ssh")
    assert request().digest in line.told.err
    assert "approved" in line.run("request", "list", "--state", "approved")
    assert line.json("request", "list", "--state", "pending") == {"requests": []}
    assert verify(line.estate.root, processes=1).problems == ()


def test_a_deny_is_signed_as_one(line: Line) -> None:
    granted = line.sign(ANN_SIGNS, "approve", RQ, *REASON)
    assert "the signature is wrong" in line.error("deny", *granted[1:], code="usage")
    assert approvals.everything(line.estate.root).said == ()
    line.run(*line.sign(BOB_SIGNS, "deny", RQ, *REASON))

    assert f"denied by {BOB}" in line.run("request", "show", RQ)


def test_a_grant_is_taken_back(line: Line) -> None:
    line.run(*line.sign(ANN_SIGNS, "approve", RQ, *REASON))
    assert "who may approve was not looked at" in " ".join(line.told.out.split())
    line.run(*line.sign(ANN_SIGNS, "approve", RQ, "--withdraw", *REASON))

    told = " ".join(line.run("request", "show", RQ).split())
    assert "0 of 1 of releasers" in told
    assert "withdrawn" in told


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("approve", RQ, *REASON), "usage", "nobody signed"),
        (("approve", "rq-none", *REASON), "not found", "no such request"),
        (("approve", RQ, *REASON, "--digest", "0" * 64), "usage", "another digest"),
        (("approve", RQ, "--reason", " "), "refused", "cannot be made so"),
        (("approve", RQ, *REASON, "--until", "2030-01-01T00:00:00Z"), "refused", "a grant ends between"),
        (("deny", RQ, *REASON, "--signature", "{allowed}"), "usage", "not an armored SSH signature"),
        (("approve", RQ, *REASON, "--sign-with", "{allowed}", "--signature", "{allowed}"), "usage", "two ways"),
        (("request", "show", "rq-none"), "not found", "no such request"),
    ],
)
def test_what_cannot_be_decided_is_said_and_not_sealed(line: Line, words: Sequence[str], code: str, told: str) -> None:
    given = [word.replace("{allowed}", line.path("allowed")) for word in words]

    assert told in line.error(*given, code=code)
    assert approvals.everything(line.estate.root).said == ()


def test_who_may_not_is_refused(line: Line) -> None:
    file = ("--broker-file", line.path("broker.toml"))
    assert "releasers" in line.error(*line.sign(BOB_SIGNS, "approve", RQ, *REASON, *file), code="refused")
    line.estate.seal([request(2, proof=proof(claims={"user_email": "ann@example.com"}))], first=2)
    other = request(2).request

    assert "started the run" in line.error(*line.sign(ANN_SIGNS, "approve", other, *REASON, *file), code="refused")
    assert approvals.everything(line.estate.root).said == ()


def test_ssh_keygen_signs_here_and_now(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its place is taken by a person of the tests: what it is given and what becomes of its answer are what counts."""
    ran: list[Sequence[str]] = []

    def run(command: Sequence[str], *, input: bytes, **_: object) -> subprocess.CompletedProcess[bytes]:  # noqa: A002
        ran.append(command)
        return subprocess.CompletedProcess(command, 0, ANN_SIGNS.sign(input, space="custody-approval"))

    monkeypatch.setattr(subprocess, "run", run)
    found = line.json("approve", RQ, *REASON, "--sign-with", line.path("allowed"))

    assert found["approver"] == ANN
    assert ran == [["ssh-keygen", "-Y", "sign", "-n", "custody-approval", "-f", line.path("allowed")]]
    assert f"running: {' '.join(ran[0])}" in line.told.err


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
def test_the_real_ssh_keygen_signs_what_is_sealed(line: Line) -> None:
    key = line.path("key")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key], check=True)
    (line.folder / "allowed").write_text(f"bob@example.com {(line.folder / 'key.pub').read_text()}")

    found = line.json("approve", RQ, *REASON, "--sign-with", key)

    assert found["approver"] == BOB
    assert "private" not in line.told.err.lower()
