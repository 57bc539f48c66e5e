"""The forms of an incident: page, terminal, CSV, Timesketch and JSON; whatever logs and people say in them."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings

from custody.model.incident_view import IncidentView, MomentView, TimelineView
from custody.model.times import EPOCH
from custody.reports.html import POLICY
from custody.reports.incident import text as as_json
from custody.reports.incident import timesketch
from custody.reports.incident.drawing import LANES, drawing
from custody.reports.incident.page import LINES, lines, page
from custody.reports.incident.table import COLUMNS, rows
from custody.reports.safe import plain
from custody.reports.terminal.incident import page as on_terminal
from custody.reports.terminal.incident_timeline import timeline as timeline_on_terminal
from tests.reports.hostile import HIDDEN, poisoned, text
from tests.reports.sample_incident import HOSTILE, KEY, moment, sample_incident, told
from tests.reports.test_csv_tables import FORMULA
from tests.reports.test_html import Page

FORBIDDEN = {"script", "iframe", "form", "object", "embed", "img", "link", "base", "input", "button"}
TIMES = ("at", "last", "known", "corrected")


@pytest.fixture(scope="module")
def written() -> str:
    return page(sample_incident()).decode()


@pytest.fixture(scope="module")
def parsed(written: str) -> Page:
    return Page(written)


def with_moments(*moments: MomentView) -> IncidentView:
    found = sample_incident()
    return msgspec.structs.replace(found, timeline=msgspec.structs.replace(found.timeline, moments=moments))


def timed(view: IncidentView) -> IncidentView:
    """``view`` with the times of the sample, so that what is poisoned is drawn."""
    was = sample_incident().timeline
    moments = tuple(
        msgspec.structs.replace(each, **{name: getattr(old, name) for name in (*TIMES, "party")})
        for each, old in zip(view.timeline.moments, was.moments, strict=True)
    )
    return msgspec.structs.replace(view, timeline=msgspec.structs.replace(view.timeline, moments=moments))


# the page


def test_the_page_is_whole_and_loads_and_runs_nothing(written: str, parsed: Page) -> None:
    references = [value for _, name, value in parsed.attributes if name in ("src", "href", "srcset", "action")]

    assert (parsed.wrong, parsed.open) == ([], [])
    assert set(parsed.tags) & FORBIDDEN == set()
    assert [name for _, name, _ in parsed.attributes if name.startswith("on")] == []
    assert references
    assert [value for value in references if not value.startswith("#")] == []
    assert POLICY in parsed.values("content")
    assert "@import" not in written
    assert "http:" not in written.replace("http://evil.example", "")


def test_its_ids_are_there_once_and_its_tables_have_captions(parsed: Page) -> None:
    ids = parsed.values("id")

    assert len(ids) == len(set(ids))
    assert {value[1:] for value in parsed.values("href")} <= set(ids)
    assert parsed.tags.count("caption") == parsed.tags.count("table")
    assert parsed.tags.count("h1") == 1


def test_it_says_what_was_done_what_is_proved_and_what_is_not(parsed: Page) -> None:
    words = " ".join("".join(parsed.words).split())

    for said in (
        "2 actions done of 2 asked for, 1 proved effective, 1 without effect, 1 done without approval; 1 credential",
        "the key ended at 12:24:31, and nothing succeeded with it afterwards", "its author asked",
        "last success after it: 2023-07-10 12:33:40 UTC", "session still open: db_session:payments:4711",
        "overdue: second person", "1 of approvers within 30 min", "rests on approvals:4", "not signed",
        "no such action", "Would be in", "12 more records of the scope have no line", "11:58:32.500 by its clock",
        "vault.audit: -2.500 s, ±0.250 s by 3 records made in both", "There is more than is listed.",
        "sha256 " + "5f" * 32, "3,031 leaves",
    ):  # fmt: skip
        assert said in words, said


def test_states_are_told_by_mark_and_word(written: str) -> None:
    for mark, word in (("✔", "proved"), ("✗", "violated"), ("?", "claimed"), ("–", "n/a"), ("?", "done")):
        assert f'<span class="mark" aria-hidden="true">{mark}</span>{word}</span>' in written


def test_the_drawing_has_a_lane_for_each_system_and_person_and_the_threads_of_actions(written: str) -> None:
    found = drawing(sample_incident())
    assert found is not None

    assert [(lane.name, lane.role) for lane in found.lanes] == [
        ("AWS", "issues, changes, ends"), ("AWS", "uses"), ("Vault", "issues, changes, ends"),
        ("PostgreSQL", "issues, changes, ends"), ("PostgreSQL", "uses"), ("custody", "findings"),
        ("ann@example.com", "person"), ("ben@example.com", "person"), ("account:oncall", "person"),
    ]  # fmt: skip
    assert {mark.kind for mark in found.marks} >= {"undone", "done", "alarm", "secret", "denied", "step", "approve"}
    assert [link.grade for link in found.links].count("exact") == 2  # the approval that counts, and the proved end
    assert len(found.unsure) == 1
    for shape in ('href="#m-undone"', 'class="unsure" x=', 'class="link told"', 'href="#m-alarm"'):
        assert shape in written[written.index('<figure class="timeline">') :], shape


def test_many_lanes_and_lines_are_drawn_within_bounds() -> None:
    moments = tuple(
        moment(
            f"{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}",
            f"person {at // 10 % 40}",
            "noted",
            "x",
            at,
            party="person",
        )
        for at in range(0, 80_000, 10)
    )
    lanes = tuple(
        msgspec.structs.replace(sample_incident().timeline.lanes[0], lane=f"person {n}", party="person")
        for n in range(40)
    )
    view = with_moments(*moments)
    view = msgspec.structs.replace(view, timeline=msgspec.structs.replace(view.timeline, lanes=lanes))
    found = drawing(view)
    assert found is not None

    assert len(found.lanes) == LANES
    assert found.lanes[-1].name == "25 more lanes"
    assert len(found.marks) < 2000
    assert sum(mark.count for mark in found.marks) == len(moments)
    assert len(page(view)) < 3_000_000


def test_uses_close_to_each_other_are_one_mark_that_is_denied_only_where_all_were() -> None:
    used = moment("10:00:00", "AWS", "use", "a", 1, count=3)
    refused = moment("10:00:00", "AWS", "use", "b", 2, outcome="denied")
    read = moment("10:00:00", "AWS", "secret", "c", 3)
    far = moment("12:00:00", "AWS", "use", "d", 4)
    for moments, expected in (
        ((used, refused, read, far), [("secret", 5), ("use", 1)]),
        ((refused, used, far), [("use", 4), ("use", 1)]),
        ((refused, refused, far), [("denied", 2), ("use", 1)]),
    ):
        found = drawing(with_moments(*moments))
        assert found is not None
        assert [(mark.kind, mark.count) for mark in found.marks] == expected


def test_where_there_is_no_room_uses_are_left_out_before_anything_else() -> None:
    used = [moment("10:00:00", "AWS", "use", f"use {at}", at) for at in range(LINES + 50)]
    ended = moment("11:00:00", "AWS", "end", "key deleted", 9_999)
    kept = lines([*used, ended])

    assert (len(kept), kept[-1], kept[0].text) == (LINES, ended, "use 0")
    assert "51 more uses not shown here" in page(with_moments(*used, ended)).decode()


def test_an_incident_of_which_nothing_is_known_gives_a_page_that_says_so() -> None:
    bare = IncidentView(
        incident="in-1", title="t", severity="low", state="open", version="1",
        opened=told("ann", "10:00:00", "opens", 1), aware="?", seeds=(),
    )  # fmt: skip
    written = page(bare).decode()

    assert Page(written).wrong == []
    for said in (
        "Nothing was asked for yet.",
        "Nothing was judged.",
        "there is nothing to draw",
        "Nothing is known yet.",
    ):
        assert said in written
    assert "nothing was asked for yet" in on_terminal(bare)
    assert "nothing is known yet" in timeline_on_terminal(bare)


def test_hostile_values_are_shown_and_do_nothing(written: str, parsed: Page) -> None:
    assert "<script" not in written
    assert HIDDEN.search(written) is None
    assert plain(HOSTILE) in "".join(parsed.words)


@settings(max_examples=20, deadline=None)
@given(text)
def test_no_text_changes_the_structure_of_the_page(poison: str) -> None:
    quiet = Page(page(timed(poisoned(sample_incident(), "x"))).decode())
    raw = page(timed(poisoned(sample_incident(), poison))).decode()
    found = Page(raw)

    assert HIDDEN.search(raw) is None
    assert (found.wrong, found.open) == ([], [])
    assert set(found.tags) <= set(quiet.tags)
    assert {name for _, name, _ in found.attributes} <= {name for _, name, _ in quiet.attributes} | {"title"}
    assert [value for value in found.values("href") if not value.startswith("#")] == []


# files


def table(view: TimelineView) -> list[dict[str, str]]:
    whole = b"".join(rows(view)).decode("utf-8")
    assert whole.endswith("\r\n")
    return list(csv.DictReader(io.StringIO(whole, newline=""), strict=True))


def test_the_table_has_every_line_with_both_times_and_numbers_bare() -> None:
    found = table(sample_incident().timeline)
    vault = next(row for row in found if row["lane"] == "Vault")

    assert tuple(found[0]) == COLUMNS
    assert len(found) == len(sample_incident().timeline.moments)
    assert (vault["time"], vault["corrected"]) == ("2023-07-10T11:58:32.500000Z", "2023-07-10T11:58:30Z")
    assert (vault["shift_seconds"], vault["unsure_seconds"], vault["leaf"]) == ("-2.5", "0.25", "operations:1400")
    assert [row["count"] for row in found if row["text"].startswith("s3:")] == ["4120"]


@settings(max_examples=25, deadline=None)
@given(text)
def test_no_cell_is_a_formula(poison: str) -> None:
    for formula in (poison, *(f"{sign}{poison}" for sign in FORMULA)):
        (row,) = table(with_moments(moment("10:00:00", formula, "use", formula, 1, who=formula)).timeline)
        assert not row["text"].startswith(FORMULA)
        assert not row["who"].startswith(FORMULA)
        assert HIDDEN.search("".join(row.values())) is None


def timesketched(view: IncidentView) -> list[dict[str, object]]:
    found = list(timesketch.lines(view))
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 and line.isascii() for line in found)
    return [json.loads(line) for line in found]


def test_timesketch_gets_the_fields_that_it_asks_for_and_the_times_of_the_records() -> None:
    view = sample_incident()
    found = timesketched(view)

    assert len(found) == len(view.timeline.moments)
    for line, each in zip(found, view.timeline.moments, strict=True):
        assert {"message", "datetime", "timestamp", "timestamp_desc"} <= line.keys()
        assert None not in line.values()
        stamp = line["timestamp"]
        assert isinstance(stamp, int)
        assert datetime.fromisoformat(str(line["datetime"])) == EPOCH + timedelta(microseconds=stamp)
        assert EPOCH + timedelta(microseconds=stamp) == datetime.fromisoformat(each.at)
    vault = next(line for line in found if line["lane"] == "Vault")
    assert (vault["datetime"], vault["corrected_datetime"]) == (
        "2023-07-10T11:58:32.500000+00:00",
        "2023-07-10T11:58:30Z",
    )
    assert {line["timestamp_desc"] for line in found if line["kind"] in ("done", "aware")} == {"Time As Told"}
    assert {line["incident"] for line in found} == {"inc-2023-07-10-1"}


@settings(max_examples=20, deadline=None)
@given(text)
def test_no_text_breaks_a_line_of_timesketch_or_the_json(poison: str) -> None:
    view = poisoned(sample_incident(), poison)
    found = timesketched(view)

    assert len(found) == len(view.timeline.moments)
    assert found[0]["kind"] == poison.encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass")
    assert HIDDEN.search(as_json.whole(view).decode()) is None
    assert HIDDEN.search(as_json.timeline(view).decode()) is None


def test_json_is_the_view_with_its_values_as_they_are() -> None:
    view = sample_incident()

    assert msgspec.json.decode(as_json.whole(view), type=IncidentView) == view
    told_alone = json.loads(as_json.timeline(view))
    assert told_alone["incident"] == view.incident
    assert len(told_alone["moments"]) == len(view.timeline.moments)
    assert told_alone["moments"][7]["text"] == HOSTILE
    assert KEY in as_json.whole(view).decode()
