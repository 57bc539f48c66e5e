"""What the commands of an incident name as the next command: true to how far the action is, and whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.incidents.test_commands import CONTAIN, PEOPLE, Line

LONG = 'aws iam put-role-policy --policy-document \'{"Condition":{"aws:TokenIssueTime":"\'$(date -u +%FT%TZ)\'"}}\''


@pytest.fixture
def line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Line:
    def sign(key: Path, data: bytes, space: str) -> bytes:
        return PEOPLE[key.name].sign(data, space=space)

    monkeypatch.setattr("custody.cli.incident.signing.signature", sign)
    monkeypatch.setattr("custody.cli.incident.deciding.signature", sign)
    return Line(tmp_path, capsys)


def test_the_next_command_of_a_request_follows_from_how_far_it_is(line: Line) -> None:
    name = line.open()
    words = ("act", name, "contain", "aws_akid:aws:AKIA1", *CONTAIN)
    denied = line.run(*words, code="refused", who=None)
    assert "because     signed-only forbids it" in denied
    assert "needs       a signature: ask again with --sign-with KEY; where the incident" in denied
    assert "open another with --signers FILE" in " ".join(denied.split())
    assert "next" not in denied
    waiting = line.run(*words)
    action = waiting.split()[1]
    assert f"custody incident approve {action} --reason TEXT --sign-with KEY" in waiting
    assert "nor who is to do it" in " ".join(waiting.split())
    assert "before      leaf operations:" in line.run(*words)
    assert f"custody incident done {action}" in line.run("approve", action, "--reason", "agreed", who="bob")
    done = line.run("done", action)
    assert f"next        custody incident show {name}" in done
    assert "custody incident review" not in done


def test_a_break_glass_names_its_second_person_and_its_review(line: Line) -> None:
    name = line.open()
    asked = line.run("act", name, "contain", "aws_akid:aws:AKIA1", *CONTAIN, "--break-glass")
    action = asked.split()[1]
    assert "needs       a second person by 2" in asked
    assert f"next        custody incident done {action} --sign-with KEY" in asked
    assert f"custody incident review {action} --verdict justified" in line.run("done", action)
    second = line.run("approve", action, "--reason", "agreed", who="bob")
    assert f"next        custody incident review {action} --verdict justified" in second
    assert f"custody incident done {action}" not in second


def test_a_command_stands_undivided_in_the_status(line: Line) -> None:
    name = line.open()
    line.run("act", name, "contain", "aws_akid:aws:AKIA1", "--reason", "stop it", "--content", LONG, "--content", "two")
    shown = line.run("status", name).splitlines()
    assert f"content     {LONG}" in shown
    assert " " * 12 + "two" in shown


def test_an_incident_opened_by_hand_is_to_be_widened(line: Line) -> None:
    by_hand = line.run("open", "--title", "a theft", "--reason", "an alert")
    assert f"next        custody incident widen {by_hand.split()[1]} --key CREDENTIAL" in by_hand
    from_key = line.run("open", "--title", "a key", "--reason", "an alert", "--key", "aws_akid:aws:AKIA1")
    assert f"next        custody incident show {from_key.split()[1]}" in from_key
