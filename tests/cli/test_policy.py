"""``custody policy`` as a person or a program meets it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import msgspec
import pytest

from custody.broker.policy.cedar import CedarEngine
from custody.broker.policy.folder import PolicyFolder
from custody.broker.policy.schema import base_text
from custody.broker.policy.situation_files import situation_in
from custody.cli import main
from custody.cli.exits import CODES
from custody.model.brokered import Entry, Request

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "policies"
SUNDAY = {
    "now": "2026-01-04T12:00:00Z",
    "intent": {"backend": "deploy", "ticket": "CHG-1"},
    "registered": {"owner": "team:payments", "environments": ["production"]},
}


def said(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["policy", *map(str, arguments)])
    found = capsys.readouterr()
    return code, found.out, found.err


def answered(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, dict[str, object]]:
    code, out, _ = said(capsys, *arguments, "--json")
    found = json.loads(out)
    assert isinstance(found, dict)
    return code, found


def test_check_lists_the_policies_and_their_digests(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, "check", EXAMPLE)
    found = PolicyFolder(EXAMPLE).current

    assert (code, err) == (0, "")
    for name, each in found.policies.items():
        assert any(name in line and each.sha256[:12] in line and each.place in line for line in out.splitlines())
    assert f"policy set {found.sha256}" in out
    assert "asks for 2 of release-managers within 900 s; 3600 s at most" in out
    assert "sound: 3 policies" in out

    code, told = answered(capsys, "check", EXAMPLE)
    assert code == 0
    assert told["sound"] is True
    assert told["policy_set"] == found.sha256
    assert told["schema"] == found.schema.sha256
    assert (told["flaws"], told["notes"]) == ([], [])


def test_check_of_a_folder_that_is_not_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.cedar").write_text('@id("a") permit (principal, action, resource) when { context.missing };')
    (tmp_path / "b.cedar").write_text("permit")

    code, out, _ = said(capsys, "check", tmp_path)
    assert code == CODES["usage"]
    assert "wrong  a.cedar:1: a: attribute `missing`" in out
    assert "wrong  b.cedar: not Cedar policies" in out
    assert out.count("wrong  ") == 2
    assert "2 things are wrong" in out

    code, told = answered(capsys, "check", tmp_path)
    assert code == CODES["usage"]
    assert told["sound"] is False
    assert told["policy_set"] is None
    assert isinstance(told["flaws"], list)
    assert {each["where"] for each in told["flaws"]} == {"a.cedar:1", "b.cedar"}


@pytest.mark.parametrize("command", ["check", "test", "explain"])
def test_a_folder_that_is_none(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "case.yaml").write_text("now: 2026-01-05T12:00:00Z")
    more: list[str | Path] = ["--case", tmp_path / "case.yaml"] if command == "explain" else []

    code, out, err = said(capsys, command, tmp_path / "none", *more)

    assert (code, out) == (CODES["usage"], "")
    assert "no policy folder" in err
    code, told = answered(capsys, command, tmp_path / "none", *more)
    assert code == CODES["usage"]
    assert isinstance(told["error"], dict)
    assert told["error"]["exit_code"] == code


def test_test_passes_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "test", EXAMPLE)
    assert code == 0
    assert "8 passed, 0 failed" in out
    assert out.count("ok  ") == 8

    (tmp_path / "tests").mkdir()
    (tmp_path / "a.cedar").write_text('@id("a") forbid (principal, action, resource);')
    cases = [{"name": "\x1b[31mred", "expect": {"verdict": "allow"}}, {"name": "b", "expect": {"verdict": "deny"}}]
    (tmp_path / "tests" / "a.json").write_text(json.dumps({"cases": cases}))
    code, out, _ = said(capsys, "test", tmp_path)
    assert code == CODES["findings"]
    assert "\x1b" not in out
    assert "verdict: deny, not allow" in out
    assert "1 passed, 1 failed" in out

    code, told = answered(capsys, "test", tmp_path)
    assert code == CODES["findings"]
    assert (told["passed"], told["failed"]) == (1, 1)


def test_test_of_a_folder_without_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.cedar").write_text('@id("a") forbid (principal, action, resource);')

    code, out, _ = said(capsys, "test", tmp_path)

    assert code == 0
    assert "no cases" in out


def test_explain_says_what_determined_and_what_kept_the_others_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = tmp_path / "case.json"
    case.write_text(json.dumps(SUNDAY))

    code, out, _ = said(capsys, "explain", EXAMPLE, "--case", case)

    assert code == 0
    assert out.startswith("approval-required\n  by deploy/approved  sha256 ")
    assert "  asks for 2 of release-managers within 900 s\n  for 3600 s at most\n" in out
    assert "permit deploy/approved: holds, and asks for 2 of release-managers within 900 s: 2 to go\n" in out
    assert "permit deploy/working-hours: does not hold\n  not so: when { context.declared }\n" in out
    assert "forbid never/unproved-agents: does not hold\n" in out


def test_explain_from_stdin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"intent: {backend: elsewhere}\n")))

    code, told = answered(capsys, "explain", EXAMPLE, "--case", "-")

    assert code == 0
    decision = told["decision"]
    assert isinstance(decision, dict)
    assert (decision["verdict"], decision["why"]) == ("deny", "no-permit-matched")
    assert isinstance(told["policies"], list)
    assert {each["id"]: each["missing"] for each in told["policies"]}["deploy/approved"] == [
        'resource == Backend::"deploy"'
    ]


def test_explain_decides_an_entry_of_the_log_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decided = situation_in(dict(SUNDAY), "test")
    body = Request(
        request="rq-1",
        digest="0" * 64,
        proof=decided.proof,
        intent=decided.intent,
        decision=CedarEngine(PolicyFolder(EXAMPLE)).decide(decided),
        registered=decided.registered,
    )
    at = "2026-01-04T12:00:00.000000Z"
    line = msgspec.json.encode(Entry(custody="custody.broker/1", broker="b", seq=1, prev="0" * 64, at=at, body=body))
    (tmp_path / "line").write_bytes(line)

    code, out, _ = said(capsys, "explain", EXAMPLE, "--case", tmp_path / "line")
    assert code == 0
    assert out.endswith("recorded: approval-required; the same\n")

    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.cedar").write_text('@id("a") permit (principal, action, resource);')
    code, out, _ = said(capsys, "explain", tmp_path / "other", "--case", tmp_path / "line")
    assert code == 0
    assert out.startswith("allow\n")
    assert out.endswith("recorded: approval-required; other: policy_set, schema, verdict\n")


def test_schema_prints_what_policies_may_speak_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "schema") == (0, base_text(), "")
    code, told = answered(capsys, "schema", EXAMPLE)
    assert code == 0
    assert str(told["schema"]).startswith(base_text())
    assert "namespace Acme" in str(told["schema"])


def test_help_names_every_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "--help")

    assert code == 0
    assert out.startswith("Usage: custody policy")
    assert all(f"  {name} " in out for name in ("check", "test", "explain", "schema"))
