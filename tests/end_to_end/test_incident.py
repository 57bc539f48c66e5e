"""The real theft from one address to a closed record, by the command line, against facts counted over the raw files."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import cast

import pytest

from tests.end_to_end.incident_play import (
    ADDRESS,
    AWARE,
    BACKDOOR,
    OPERATOR,
    STOLEN,
    Counted,
    Played,
    at,
    counted,
    play,
)
from tests.end_to_end.responders import APPROVES, ASKS, SECONDS, Json

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen"),
]
AKID = "aws_akid:aws:"


@pytest.fixture(scope="module")
def true(real_records: list[bytes]) -> Counted:
    return counted(real_records)


@pytest.fixture(scope="module")
def theft(real_logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(tmp_path_factory.mktemp("theft"), real_logs)


def rows(found: object, *names: str) -> list[Json]:
    return cast("list[Json]", at(found, *names))


def action(shown: Json, name: str) -> Json:
    (found,) = (each for each in rows(shown, "actions") if each["action"] == name)
    return found


def answer(shown: Json, start: str) -> Json:
    (found,) = (each for each in rows(shown, "answers") if str(each["question"]).startswith(start))
    return found


def test_the_counting_agrees_with_what_is_known_of_the_files(true: Counted) -> None:
    assert true.seeds == {STOLEN, OPERATOR}
    assert (len(true.issued), len(true.of_made_roles), len(true.reached)) == (12, 5, 19)
    assert (true.uses[OPERATOR], true.successes[OPERATOR], true.uses[STOLEN]) == (2104, 1880, 2)
    assert OPERATOR not in true.ended


def test_the_scope_is_what_worked_from_there_and_all_below(theft: Played, true: Counted) -> None:
    scope = cast("Json", theft.before["scope"])
    found = [each for each in rows(scope, "credentials") if not each["apart"]]

    assert {str(each["key"]).removeprefix(AKID) for each in found} == true.reached
    assert {each["join"] for each in found} == {"inferred"}
    assert [each["key"] for each in found if each["alive"]] == [AKID + OPERATOR]
    assert (scope["first_success"], scope["last_success"]) == (true.first, true.last)
    assert (scope["unknown"], scope["cut_off"]) == ([], False)


def test_what_it_touched_is_counted_and_never_said_to_be_all(theft: Played, true: Counted) -> None:
    touched = answer(theft.before, "what did the exposed credential")
    listed = [each for each in rows(theft.before, "scope", "touched") if each["outcome"] == "success"]
    kinds = {what: {str(each["name"]) for each in listed if each["what"] == what} for what in ("secret", "user", "key")}

    assert (len(kinds["secret"]), len(kinds["user"]), len(kinds["key"])) == (true.secrets, true.made, 2)
    assert touched["state"] == "unproven"
    assert f"at least {true.secrets} secrets, 2 keys, {true.made} users" in str(touched["text"])


def test_only_the_targets_own_log_proves_an_end(theft: Played, true: Counted) -> None:
    contained, revoked, late = (action(theft.before, each) for each in (theft.contain, theft.revoke, theft.late))

    assert at(contained, "outcome", "judged", "state") == "proved"
    assert at(contained, "outcome", "observed_at") == true.ended[STOLEN] == "2023-07-10T12:08:39Z"
    assert at(contained, "outcome", "last_success_after") is None
    assert (at(revoked, "outcome", "judged", "state"), at(revoked, "outcome", "judged", "best")) == (
        "unproven",
        "claimed",
    )
    assert at(late, "outcome", "judged", "state") == "proved"
    assert at(late, "outcome", "observed_at") == true.ended[BACKDOOR]


def test_every_way_round_the_second_person_is_refused(theft: Played) -> None:
    assert {name: code for name, (code, _) in theft.refused.items()} == {
        "approve what one asked for": 7,
        "approve as nobody's approver": 7,
        "approve another digest": 2,
        "approve what was done": 7,
        "review what one did": 7,
        "close while open": 2,
        "close unsigned": 7,
        "act after the close": 2,
    }
    assert theft.revoke in theft.refused["close while open"][1]
    assert theft.contain not in theft.refused["close while open"][1]


def test_who_did_what_is_signed_and_acting_first_stays_visible(theft: Played) -> None:
    contained, late = action(theft.after, theft.contain), action(theft.after, theft.late)
    who, inside = answer(theft.after, "who asked"), answer(theft.after, "did the response stay")

    assert (at(contained, "asked", "who"), at(contained, "asked", "signed")) == (ASKS, True)
    assert [(each["who"], each["why"]) for each in rows(contained, "decisions")] == [(APPROVES, "")]
    assert (late["status"], late["unapproved"]) == ("done without approval", "nobody had approved it")
    assert [each["who"] for each in rows(late, "reviews")] == [SECONDS]
    assert who["state"] == "proved"
    assert inside["state"] == "violated"
    assert theft.late in str(inside["text"])
    assert theft.contain not in str(inside["text"])


def test_the_way_from_exposure_to_containment_says_what_is_not_known(theft: Played, true: Counted) -> None:
    way = answer(theft.after, "from exposure")
    points = [str(each).partition(" (")[0] for each in cast("list[str]", way["parts"])[:3]]

    assert way["state"] == "unproven"
    assert points == ["exposure: unknown", f"first abuse: {true.first}", f"detection: {AWARE}"]
    assert answer(theft.after, "was revocation verified")["state"] == "unproven"
    assert answer(theft.after, "does any session or descendant survive")["state"] == "open"


def test_the_checklist_proves_what_the_logs_show_and_no_claim(theft: Played) -> None:
    (items,) = (rows(each, "items") for each in rows(theft.after, "checks") if each["identity"] == STOLEN)
    states = {str(each["question"]): (each["state"], each["best"]) for each in items}

    assert states["old credentials ended"][0] == "proved"
    assert states["cause removed"] == ("unproven", "claimed")
    assert states["owner signs"] == ("unproven", "claimed")


def test_it_is_closed_and_the_record_holds(theft: Played) -> None:
    assert (theft.after["state"], at(theft.after, "closed", "who")) == ("closed", ASKS)
    assert theft.before["state"] == "open"
    assert action(theft.after, theft.revoke)["status"] == "settled"
    assert theft.after["odd"] == []
    assert theft.desk.run("verify")[0] == 0


def test_every_format_of_the_timeline_tells_every_call(theft: Played, true: Counted, tmp_path: Path) -> None:
    def written(name: str, *command: str) -> str:
        path = tmp_path / name
        theft.desk.run("incident", *command, str(path))
        return path.read_text()

    timeline = ("timeline", theft.incident, "--format")
    whole = json.loads(written("t.json", *timeline, "json", "-o"))
    table = list(csv.DictReader(io.StringIO(written("t.csv", *timeline, "csv", "-o"))))
    sketch = [json.loads(line) for line in written("t.jsonl", *timeline, "timesketch", "-o").splitlines()]
    page = written("t.html", "show", theft.incident, "--html")

    calls = [each for each in whole["moments"] if each["kind"] in ("use", "made", "secret")]
    own = {one: [each for each in calls if each["key"] == AKID + one] for one in (OPERATOR, STOLEN)}
    assert sum(each["count"] for each in own[OPERATOR]) == true.uses[OPERATOR]
    assert sum(each["count"] for each in own[OPERATOR] if each["outcome"] == "success") == true.successes[OPERATOR]
    assert sum(each["count"] for each in own[STOLEN]) == true.uses[STOLEN]
    assert whole["left_out"] == 0
    assert len(table) == len(sketch) == len(whole["moments"])
    assert all({"message", "datetime", "timestamp", "timestamp_desc"} <= each.keys() for each in sketch)
    assert all(text in page for text in (ADDRESS, STOLEN, ASKS, "done without approval"))
    assert "<script" not in page


def test_from_the_finding_the_key_is_sure_and_so_is_its_way(theft: Played, true: Counted) -> None:
    found = theft.of_finding
    reached = [(each["key"], each["join"], each["apart"]) for each in rows(found, "scope", "credentials")]
    way = cast("list[str]", answer(found, "from exposure")["parts"])

    assert (AKID + STOLEN, "exact", False) in reached
    assert [key for key, _, apart in reached if not apart] == [AKID + STOLEN]
    assert sum(cast("int", each["count"]) for each in rows(found, "scope", "touched")) == true.uses[STOLEN]
    assert answer(found, "does any session or descendant survive")["state"] == "proved"
    assert way[1].startswith(f"first abuse: {true.abused} (proved)")
    assert way[3].startswith(f"containment: {true.ended[STOLEN]} (proved)")


def test_before_the_opening_nothing_of_it_was_known(theft: Played) -> None:
    code, _, said = theft.desk.run("incident", "timeline", theft.incident, "--known-at", "2024-01-01", code=None)

    assert code != 0
    assert theft.incident in said


def test_the_pack_of_it_is_checked_by_a_stranger(theft: Played, tmp_path: Path) -> None:
    path = tmp_path / "incident.zip"
    theft.desk.run("pack", "--incident", theft.incident, "-o", str(path))

    assert theft.desk.run("verify", str(path))[0] == 0
