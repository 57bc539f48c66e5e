"""``custody incident`` as people run it."""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from custody.cli import main
from custody.cli.commands.incident import COMMAND, PLACES, SUBCOMMANDS
from custody.cli.exits import CODES
from custody.pipeline.incidents import closing
from custody.pipeline.incidents.closing import Judgement
from custody.pipeline.incidents.viewing import viewed
from custody.store.verification import verify
from tests.pipeline.incidents.scene import EVERYBODY, Scene
from tests.ssh_signing import Person

PEOPLE = {person.name.partition("@")[0]: person for person in EVERYBODY}
CONTAIN = ("--reason", "stop it", "--content", "aws iam update-access-key --status Inactive")


class Line:
    """A store, people with key files, and the command line."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.scene, self.capsys = Scene(folder), capsys
        for name, person in PEOPLE.items():
            (folder / name).write_text("the private key lies elsewhere\n")
            (folder / f"{name}.pub").write_text(f"ssh-ed25519 {b64encode(person.key).decode()} {name}\n")
        settings = self.scene.settings
        self.places = (
            "--store", settings.store, "--keys", settings.keys, "--approval-keys", settings.approval_keys,
            "--signers", settings.signers, "--response", settings.response,
        )  # fmt: skip

    def run(self, *words: str, code: str = "done", who: str | None = "ann") -> str:
        reading = words[0] in ("list", "status", "request")
        places = self.places[:2] if reading else self.places
        signed = () if reading or who is None else ("--sign-with", str(self.scene.folder / who))
        assert main(["incident", *words, *signed, *map(str, places)]) == CODES[code]
        self.told = self.capsys.readouterr()
        return self.told.out

    def json(self, *words: str, code: str = "done", who: str | None = "ann") -> dict[str, object]:
        found: dict[str, object] = json.loads(self.run(*words, "--json", code=code, who=who))
        return found

    def open(self, *more: str) -> str:
        return str(self.json("open", "--title", "a theft", "--reason", "an alert", *more)["incident"])

    def act(self, incident: str, *more: str, code: str = "done", who: str | None = "ann") -> str:
        words = ("act", incident, "contain", "aws_akid:aws:AKIA1", *CONTAIN, *more)
        step = self.json(*words, code=code, who=who)["step"]
        assert isinstance(step, dict)
        return str(step["action"])


@pytest.fixture
def line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Line:
    def run(command: Sequence[str], *, input: bytes, **_: object) -> subprocess.CompletedProcess[bytes]:  # noqa: A002
        person: Person = PEOPLE[Path(command[-1]).name]
        return subprocess.CompletedProcess(command, 0, person.sign(input, space=command[4]))

    monkeypatch.setattr("custody.cli.ssh_keygen.subprocess.run", run)
    return Line(tmp_path, capsys)


def test_an_incident_from_the_opening_to_the_close(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    name = line.open("--key", "aws_akid:aws:AKIA1", "--severity", "high")
    action = line.act(name)
    exact = line.json("request", action)
    line.run("request", action)
    assert line.told.out == f"{exact['text']}\n"

    assert "its author asked for the action" in json.dumps(
        line.json("approve", action, "--reason", "mine", code="refused")
    )
    line.run("approve", action, "--reason", "agreed", "--digest", str(exact["digest"]), who="bob")
    assert str(exact["digest"]) in line.told.err
    assert line.json("done", action)["where"] == "done"
    monkeypatch.setattr(closing, "judged", lambda *_, **__: pytest.fail("asked though it is settled"))
    monkeypatch.setattr(closing, "judge_of", lambda _: lambda _: Judgement())
    refused = line.json("close", name, "--reason", "over", code="usage")["error"]
    assert isinstance(refused, dict)
    assert action in refused["found"]
    line.run("settle", action, "--how", "accepted", "--reason", "the log is not read here")
    line.run("claim", name, "cause removed", "--identity", "pay", "--reason", "the bucket is shut", "--cite", "0")
    line.run("vouch", name, "pay", "--reason", "it may work", who="dora")
    line.run("note", name, "written down", "--cite", "operations:1")
    line.run("widen", name, "--address", "203.0.113.9", "--reason", "seen there")
    line.run("close", name, "--reason", "over")

    told = " ".join(line.run("status", name).split())
    for part in ("closed", "grant bob@example.com (signed)", "settled accepted", "vouched pay", "claimed pay: cause"):
        assert part in told
    assert "address 203.0.113.9" in told
    found = line.json("list")["incidents"]
    assert isinstance(found, list)
    assert [(each["incident"], each["open"], each["odd"]) for each in found] == [(name, False, [])]
    line.run("reopen", name, "--reason", "it goes on")
    assert verify(line.scene.settings.store, processes=1).problems == ()


def test_what_nobody_approved_is_loud(line: Line) -> None:
    name = line.open()
    action = line.act(name)
    found = line.json("done", action, "--did", "pulled the plug")

    assert (found["where"], found["why"]) == ("done without approval", "nobody had approved it")
    assert "DONE WITHOUT APPROVAL" in line.told.err
    told = " ".join(line.run("status", name).split())
    assert "WITHOUT APPROVAL (nobody had approved it): OTHER WORDS THAN WERE ASKED FOR" in told
    line.run("review", action, "--verdict", "not-justified", "--reason", "there was time", who="carl")
    assert "reviewed not-justified, carl@example.com (signed)" in " ".join(line.run("status", name).split())


def test_who_does_not_sign_is_denied_and_that_is_sealed(line: Line) -> None:
    name = line.open()
    action = line.act(name, code="refused", who=None)

    told = " ".join(line.run("status", name).split())
    assert f"{action} contain denied" in told
    assert "CLAIMED: nobody signed" in told


def test_a_decision_is_signed_elsewhere(line: Line) -> None:
    action = line.act(line.open())
    file = line.scene.folder / "text"
    words = ("deny", action, "--reason", "not today")
    line.run(*words, "--write", str(file), who=None)
    assert line.scene.action(action).decisions == ()
    signature = file.with_suffix(".sig")
    signature.write_bytes(PEOPLE["bob"].sign(file.read_bytes(), space="custody-approval"))
    line.run(*words, "--signature", str(signature), who=None)

    assert line.scene.whys(action) == [""]
    assert "the signature is wrong" in json.dumps(
        line.json("deny", action, "--reason", "other", "--signature", str(signature), who=None, code="usage")
    )
    assert "not clear" in json.dumps(line.json(*words, who=None, code="usage"))


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("act", "in-none", "contain", "k", *CONTAIN), "not found", "no such incident"),
        (("act", "in-none", "contain", "k", "--reason", "r"), "not found", "no such incident"),
        (("request", "ac-none"), "not found", "no such action"),
        (("open", "--title", "t", "--reason", "r", "--alert", "99999"), "not found", "no such leaf"),
        (("open", "--title", "t", "--reason", "r", "--aware", "2999-01-01T00:00:00Z"), "usage", "nobody can have"),
    ],
)
def test_what_is_wrong_is_said(line: Line, words: tuple[str, ...], code: str, told: str) -> None:
    assert told in json.dumps(line.json(*words, code=code))
    assert line.json("list") == {"incidents": [], "unread": []}


def test_that_it_is_closed_is_said_before_what_else_is_missing(line: Line) -> None:
    name = line.open()
    words = ("act", name, "contain", "k", "--reason", "r")
    assert "what is to be done is not said" in json.dumps(line.json(*words, code="usage"))
    line.run("close", name, "--reason", "over")

    assert "the incident is closed" in json.dumps(line.json(*words, code="usage"))


def test_that_it_was_over_once_stays_to_be_seen(line: Line) -> None:
    name = line.open()
    line.run("close", name, "--reason", "over")
    line.run("reopen", name, "--reason", "a later use was found")
    status = line.run("status", name)
    notes = viewed(line.scene.settings, name).notes

    assert [word for word in ("closed", "reopened") if f"\n{word} " in status] == ["closed", "reopened"]
    assert [each.what.partition(": ")[2] for each in notes] == ["over", "a later use was found"]


def test_a_key_without_its_public_half_is_told(line: Line) -> None:
    (line.scene.folder / "ann.pub").unlink()

    assert "the public key is not there" in json.dumps(line.json("open", "--title", "t", "--reason", "r", code="usage"))


def test_hostile_texts_steer_nothing(line: Line) -> None:
    """Names come from keys of other systems: what is typed as one stays text."""
    name = line.open("--identity", "pay\u202e\x1b[31m", "--address", "<b>=cmd|' /C calc'!A0</b>")
    out = line.run("status", name)

    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "<b>=cmd" in out


def test_the_policies_of_incidents_are_checked(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    folder = line.scene.folder / "policies"
    folder.mkdir()
    for words, code, told in (
        (("--shipped",), "done", '@id("break-glass")'),
        (("--schema",), "done", "type Situation"),
        ((str(folder),), "done", "sound"),
        ((str(folder), "--json"), "usage", '"sound": false'),
        ((), "usage", ""),
    ):
        text = (
            "permit (principal, action, resource);"
            if code == "usage"
            else '@id("a") ' + "permit (principal, action, resource);"
        )
        (folder / "own.cedar").write_text(text)
        assert main(["incident", "policies", *words]) == CODES[code]
        assert told in capsys.readouterr().out


def test_every_subcommand_has_its_place() -> None:
    assert sorted(SUBCOMMANDS) == sorted(PLACES)
    assert isinstance(COMMAND, click.Group)
    context = click.Context(COMMAND)
    for name in SUBCOMMANDS:
        found = COMMAND.get_command(context, name)
        assert found is not None
        assert found.name == name
    assert COMMAND.get_command(context, "none") is None
