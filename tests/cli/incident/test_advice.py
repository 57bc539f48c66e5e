"""Every error of ``custody incident`` says where, what was found or expected, and what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from custody.cli import cli, main
from custody.cli.exits import CODES
from custody.cli.incident.advice import advised
from custody.errors import UsageError
from tests.pipeline.incidents.test_commands import CONTAIN, PEOPLE, Line
from tests.sources.test_pasted_secrets import DRAWN

REASON = ("--reason", "r")
OPEN = ("open", "--title", "x", *REASON)


@pytest.fixture
def line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Line:
    def sign(key: Path, data: bytes, space: str) -> bytes:
        return PEOPLE[key.name].sign(data, space=space)

    monkeypatch.setattr("custody.cli.incident.signing.signature", sign)
    monkeypatch.setattr("custody.cli.incident.deciding.signature", sign)
    return Line(tmp_path, capsys)


WRONG: list[tuple[tuple[str, ...], str, str]] = [
    (("show", "in-nope"), "not found", "custody incident list"),
    (("show", "{action}"), "not found", "That is an action: `custody incident request {action}`"),
    (("show", "{incident}", "--known-at", "yesterday"), "usage", "date -u"),
    (("show", "{incident}", "--all", "--section", "scope"), "usage", "--all has every section"),
    (("show", "{incident}", "--html", "/nope/x.html"), "usage", "--help"),
    (("status", "nope"), "not found", "custody incident list"),
    (("timeline", "nope"), "not found", "custody incident list"),
    (("timeline", "{incident}", "--known-at", "2026-13-01"), "usage", "date -u"),
    (("timeline", "{incident}", "--format", "csv"), "usage", "leave one of them out"),
    (("open", "--title", "", *REASON), "usage", "one line of plain text"),
    (("open", "--title", "x", "--reason", ""), "usage", "one line of plain text"),
    (("open", "--title", "x", "--reason", DRAWN), "usage", "can be read by everybody"),
    ((*OPEN, "--aware", "2100-01-01T00:00:00Z"), "usage", "or leave it out"),
    ((*OPEN, "--aware", "gestern"), "usage", "date -u"),
    ((*OPEN, "--alert", "99999999"), "not found", "custody trace KEY"),
    ((*OPEN, "--alert", "abc"), "usage", "custody trace KEY"),
    (("act", "in-nope", "contain", *CONTAIN, "X"), "not found", "custody incident list"),
    (("act", "{incident}", "rotate", "X", *REASON), "usage", "that text is what is approved"),
    (("act", "{incident}", "contain", "X", *CONTAIN, "--until", "never"), "usage", "date -u"),
    (("act", "{incident}", "emergency-access", "X", *CONTAIN), "usage", "Say when it ends"),
    (("request", "nope"), "not found", "custody incident list"),
    (("approve", "nope", *REASON), "not found", "custody incident list"),
    (("approve", "{action}", *REASON, "--digest", "abc"), "usage", "do not approve it"),
    (("approve", "{action}", *REASON, "--until", "gestern"), "usage", "date -u"),
    (("approve", "{action}", *REASON, "--write", "/nope/x"), "usage", "--help"),
    (("done", "{action}", "--at", "x"), "usage", "date -u"),
    (("claim", "{incident}", "cause-removed", "--identity", "x", *REASON, "--cite", "x"), "usage", "custody trace"),
    (
        ("claim", "{incident}", "cause-removed", "--identity", "x", *REASON, "--cite", "99999"),
        "not found",
        "custody trace",
    ),
    (("widen", "{incident}", *REASON), "usage", "custody findings"),
    (("note", "{incident}", ""), "usage", "one line of plain text"),
    (("reopen", "{incident}", *REASON), "usage", "custody incident show"),
    (("do", "{action}"), "usage", "custody incident done"),
    (("do", "{action}", "--broker", "http://127.0.0.1:1"), "usage", "role operator"),
]


def test_every_error_says_where_or_what_and_what_to_do(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CUSTODY_BROKER", "CUSTODY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    incident = line.open()
    names = {"incident": incident, "action": line.act(incident)}
    places = list(map(str, line.places))
    for words, code, advice in WRONG:
        given = [word.format(**names) for word in words]
        reading = given[0] in ("show", "timeline", "status", "request")
        signed = [] if reading or "--write" in words else ["--sign-with", str(line.scene.folder / "ann")]
        found = main(["incident", *given, "--json", *signed, *(places[:2] if reading else places)])
        told = line.capsys.readouterr()
        error = json.loads(told.out).get("error")
        assert error, (words, told.out)
        assert found == CODES[code], (words, error)
        assert error["message"], words
        assert error["where"] or error["found"], (words, error)
        assert advice.format(**names) in error["advice"], (words, error)
        assert "\n" not in error["advice"]
        assert DRAWN not in told.out + told.err


def test_without_a_signature_of_any_kind_it_is_said_how_to_sign(line: Line) -> None:
    action = line.act(line.open())
    line.run("approve", action, *REASON, code="usage", who=None)
    assert "found none of them, expected one of --sign-with, --signature and --write" in line.told.err
    assert "--sign-with KEY signs here" in line.told.err


def test_an_error_keeps_the_advice_that_it_has_and_never_goes_without() -> None:
    kept, bare = UsageError("not a time", advice="that\nthis"), UsageError("something new")
    advised(kept, "act")
    advised(bare, "act")
    assert (kept.advice, bare.advice) == ("that; this", "`custody incident act --help` says what it takes.")


def test_shells_complete_ids_actions_items_and_kinds(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    incident = line.open()
    action = line.act(incident)
    store = ["--store", str(line.scene.settings.store)]
    monkeypatch.delenv("CUSTODY_STORE", raising=False)
    for words, incomplete, expected in (
        (["show", *store], "", [incident]),
        (["show", *store], incident[:6], [incident]),
        (["show", *store], "ac-", []),
        (["approve", *store], "", [action]),
        (["claim", *store, incident], "cause r", ["cause-removed"]),
        (["claim", *store, incident], "o", ["owner-signs", "old-credentials-ended"]),
        (["act", *store, incident], "r", ["revoke", "rotate", "re-enable"]),
        (["show", "--store", "/nope"], "", []),
    ):
        found = ShellComplete(cli, {}, "custody", "_CUSTODY_COMPLETE").get_completions(["incident", *words], incomplete)
        assert [each.value for each in found] == expected, words


def test_an_item_is_taken_in_its_words_and_with_hyphens(line: Line) -> None:
    incident = line.open()
    for spelt in ("cause removed", "cause-removed"):
        step = line.json("claim", incident, spelt, "--identity", "x", *REASON)["step"]
        assert isinstance(step, dict)
        assert step["item"] == "cause removed"


def test_lists_and_states_have_one_form_of_time_and_do_not_repeat_what_was_asked(line: Line) -> None:
    incident = line.open()
    action = line.act(incident)
    line.run("approve", action, *REASON, who="bob")
    line.run("done", action)
    for words in (("list",), ("status", incident)):
        told = line.run(*words)
        assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", told), words
        assert re.search(r"\d{4}-\d\d-\d\dT", told) is None, words
    assert told.count("aws iam update-access-key") == 1
    assert "as it was asked for" in " ".join(told.split())
    line.run("done", action, "--did", "aws iam delete-access-key")
    assert "OTHER WORDS THAN WERE ASKED FOR" in " ".join(line.run("status", incident).split())
    assert "aws iam delete-access-key" in line.run("status", incident)
