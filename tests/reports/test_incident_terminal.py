"""An incident on the terminal: the folded page, its sections, and the timeline."""

from __future__ import annotations

import re
from functools import partial
from itertools import takewhile

import msgspec
import pytest
from hypothesis import given, settings

from custody.reports.incident import text as as_json
from custody.reports.incident.page import page
from custody.reports.safe import width
from custody.reports.terminal import Style
from custody.reports.terminal.incident import SECTIONS
from custody.reports.terminal.incident import page as on_terminal
from custody.reports.terminal.incident_timeline import timeline as timeline_on_terminal
from tests.reports.hostile import HIDDEN, poisoned, text
from tests.reports.sample_incident import HOSTILE, KEY, at, moment, sample_incident, told
from tests.reports.test_incident import timed, with_moments

ANSI = re.compile("\x1b\\[[0-9;]*m")


@pytest.mark.parametrize(
    "shown",
    [on_terminal, partial(on_terminal, whole=True), timeline_on_terminal],
    ids=["page", "whole page", "timeline"],
)
def test_the_terminal_has_80_columns_and_colours_change_nothing_else(shown: object) -> None:
    assert callable(shown)
    bare, painted = shown(sample_incident()), shown(sample_incident(), Style(on=True))
    commands = [line for line in bare.splitlines() if line.startswith("    ") and width(line) > 80]

    assert ANSI.sub("", painted) == bare
    assert painted != bare
    assert [line for line in bare.splitlines() if width(line) > 80 and line not in commands] == []
    assert HIDDEN.search(bare) is None


def test_the_timeline_on_the_terminal_keeps_the_own_time_of_what_was_corrected() -> None:
    found = timeline_on_terminal(sample_incident())

    assert re.search(r"11:58:30 +● issue +database credentials +operations:1400\n.*its clock 11:58:32\.500", found)
    assert "says to have done revoke [unapproved]" in found
    assert "cut off: 12 more records of the scope have no line here" in found
    assert "postgresql: not corrected: nothing compares it" in found


def test_details_are_folded_and_counted_and_all_of_them_are_there_on_asking() -> None:
    found = sample_incident()
    answer = msgspec.structs.replace(found.answers[0], parts=tuple(f"part {n}." for n in range(20)))
    view = msgspec.structs.replace(found, answers=(answer,))

    assert re.search(r"^ANSWERS +20 details: --section answers$", on_terminal(view), re.MULTILINE)
    assert "part 0." not in on_terminal(view)
    for shown in (on_terminal(view, whole=True), on_terminal(view, section="answers")):
        assert all(f"part {n}." in shown for n in range(20))
        assert "--section" not in shown


def test_a_section_is_shown_alone_and_whole() -> None:
    view = sample_incident()
    content = view.actions[0].content[0]

    assert content not in on_terminal(view)
    assert content in on_terminal(view, section="actions")
    assert "SCOPE" not in on_terminal(view, section="actions")
    assert "secretsmanager:GetSecretValue" in on_terminal(view, section="scope")
    assert KEY in on_terminal(view, section="scope")
    assert "what was read" in on_terminal(view, section="missing")
    bare = msgspec.structs.replace(view, odd=())
    assert "odd: nothing to show" in on_terminal(bare, section="odd")
    whole = on_terminal(view, whole=True)
    assert [name for name in SECTIONS if on_terminal(view, section=name).split("\n\n", 1)[1].strip() not in whole] == []


def test_the_picture_says_what_is_violated_first_who_owes_what_and_what_comes_next() -> None:
    lines = on_terminal(sample_incident()).splitlines()
    picture = "\n".join(takewhile(lambda line: not line.startswith("ACTIONS"), lines))

    assert lines[0].endswith("high, open")
    assert "1 of 2 credentials alive; 2 actions: 1 done, 1 done without approval" in " ".join(picture.split())
    assert picture.index("✗ violated   was revocation verified") < picture.index("? claimed    who asked")
    assert "overdue: second person of revoke v-token-deploy-x1" in " ".join(picture.split())
    assert "custody incident approve a-revoke-2 --reason TEXT --sign-with KEY" in picture
    assert len(picture.splitlines()) <= 30
    assert len(lines) <= 100


@pytest.mark.parametrize(
    ("status", "state", "said"),
    [
        ("waiting for approval", "open", "custody incident approve a-contain-1 --reason TEXT --sign-with KEY"),
        ("may be done", "open", "custody incident done a-contain-1 --sign-with KEY"),
        ("done", "unproven", "custody audit LOGS"),
        ("done", "violated", "custody contain ASIATFQR7NSC36DZQP7P"),
        ("done", "proved", "custody incident close inc-2023-07-10-1 --reason TEXT --sign-with KEY"),
        ("settled", "open", "custody incident close inc-2023-07-10-1 --reason TEXT --sign-with KEY"),
    ],
)
def test_what_comes_next_is_a_command_to_copy(status: str, state: str, said: str) -> None:
    found = sample_incident()
    action = found.actions[0]
    assert action.outcome is not None
    judged = msgspec.structs.replace(action.outcome.judged, state=state)
    outcome = msgspec.structs.replace(action.outcome, judged=judged)
    action = msgspec.structs.replace(action, status=status, outcome=outcome)
    view = msgspec.structs.replace(found, actions=(action,))

    assert re.search(rf"^ +{re.escape(said)}$", on_terminal(view), re.MULTILINE)
    assert "\nnext " not in on_terminal(msgspec.structs.replace(view, known_at="2023-07-10T12:30:00Z"))


def test_what_was_done_without_approval_asks_for_a_review_that_counts_before_the_close() -> None:
    found = sample_incident()
    action = msgspec.structs.replace(found.actions[0], status="done without approval", overdue=(), reviews=())
    review = re.compile(r"^ +custody incident review a-contain-1 --verdict justified ", re.MULTILINE)
    void = msgspec.structs.replace(found.opened, why="its author granted it: somebody else reviews")
    for reviews, asked in (((), True), ((void,), True), ((found.opened,), False)):
        view = msgspec.structs.replace(found, actions=(msgspec.structs.replace(action, reviews=reviews),))
        assert bool(review.search(on_terminal(view))) is asked, reviews


def test_what_was_denied_is_not_said_to_be_proved_or_settled() -> None:
    found = sample_incident()
    action = msgspec.structs.replace(found.actions[0], status="denied", overdue=(), outcome=None)
    view = msgspec.structs.replace(found, actions=(action,))
    over = tuple(msgspec.structs.replace(each, alive=False) for each in view.scope.credentials)
    none = msgspec.structs.replace(view, scope=msgspec.structs.replace(view.scope, credentials=over, alive=0))

    assert "ask for what would end it\n              custody incident act " in on_terminal(view)
    assert "no action is left open\n              custody incident close " in on_terminal(none)
    for shown in (on_terminal(view), on_terminal(none)):
        assert "proved or settled" not in shown


def test_of_nothing_that_was_read_it_is_not_said_that_none_is_alive() -> None:
    found = sample_incident()
    empty = msgspec.structs.replace(found.scope, credentials=(), credentials_total=0, alive=0)
    shown = on_terminal(msgspec.structs.replace(found, scope=empty))

    assert "now           no credential was read" in shown
    assert "0 of 0" not in shown


@pytest.mark.parametrize(("aware", "said"), [("12:15:00", True), (None, False)])
def test_when_people_came_to_know_is_said_where_somebody_said_it(aware: str | None, said: bool) -> None:
    view = msgspec.structs.replace(sample_incident(), aware=None if aware is None else at(aware))

    assert ("aware since" in on_terminal(view)) is said
    assert ("aware since" in on_terminal(view, whole=True)) is said
    assert (b"Aware since" in page(view)) is said


def test_times_have_one_form_on_the_pages_and_stay_exact_in_files() -> None:
    found = sample_incident()
    answer = msgspec.structs.replace(
        found.answers[0],
        text="aws_akid:aws:ASIATFQR7NSC36DZQP7P: said at 2023-07-10T12:24:30.123456Z",
        parts=("until 2023-07-10T13:00:00Z", "x2023-07-10T13:00:00Z-y"),
    )
    said = told("ann@example.com", "12:40:00", "notes: it began at 2023-07-10T12:00:00Z, she says", 3021)
    view = msgspec.structs.replace(found, answers=(answer,), notes=(said,))
    shown = " ".join(on_terminal(view, whole=True).split())
    written = page(view).decode()

    for one in (shown, written):
        assert "ASIATFQR7NSC36DZQP7P: said at 2023-07-10 12:24:30 UTC" in one
        assert "until 2023-07-10 13:00:00 UTC" in one
        assert "x2023-07-10T13:00:00Z-y" in one
        assert "it began at 2023-07-10T12:00:00Z, she says" in one
    assert "2023-07-10T12:24:30.123456Z" in as_json.whole(view).decode()


def test_milliseconds_are_shown_where_two_neighbours_would_look_equal_and_nowhere_else() -> None:
    moments = (
        moment("10:00:00.250000", "AWS", "use", "a", 1),
        moment("10:00:01.250000", "AWS", "use", "b", 2),
        moment("10:00:01.500000", "AWS", "use", "c", 3),
        moment("10:00:02", "AWS", "use", "d", 4),
        moment("10:00:02", "AWS", "use", "e", 5),
    )
    shown = timeline_on_terminal(with_moments(*moments))

    assert re.findall(r"^(10:\S+) +◆", shown, re.MULTILINE) == [
        "10:00:00", "10:00:01.250", "10:00:01.500", "10:00:02", "10:00:02",
    ]  # fmt: skip


def test_when_it_was_known_is_said_once_and_where_it_differs() -> None:
    usual = [moment("10:00:00", "AWS", "use", f"use {n}", n) for n in range(3)]
    late = moment("10:00:03", "AWS", "use", "late", 4, known=at("15:00:00"))
    soon = moment("10:00:04", "ann", "done", "says so", 5, party="person", known=at("10:00:30"))
    shown = timeline_on_terminal(with_moments(*usual, late, soon))

    assert "records at 2023-07-10 12:20:00 UTC, steps when they were taken" in " ".join(shown.split())
    assert re.findall(r"known \d\d:\S+", shown) == ["known 15:00:00"]


def test_a_wide_terminal_has_a_column_of_lanes_and_a_line_says_whose_it_is_once() -> None:
    used = [moment("10:00:00", "AWS", "use", f"use {n}", n, who="key …36DZQP7P") for n in range(3)]
    view = with_moments(*used, moment("10:00:01", "Vault", "use", "other", 9))
    narrow, wide = timeline_on_terminal(view), timeline_on_terminal(view, columns=120)

    assert narrow.count("key …36DZQP7P") == wide.count("key …36DZQP7P") == 1
    assert re.findall(r"^10:00:0\d  (AWS|Vault) +◆", wide, re.MULTILINE) == ["AWS", "AWS", "AWS", "Vault"]
    assert max(map(width, wide.splitlines())) <= 120
    assert HIDDEN.search(timeline_on_terminal(poisoned(sample_incident(), HOSTILE), columns=120)) is None


@settings(max_examples=20, deadline=None)
@given(text)
def test_no_text_steers_the_terminal(poison: str) -> None:
    view = poisoned(sample_incident(), poison)

    assert HIDDEN.search(on_terminal(view) + on_terminal(view, whole=True) + timeline_on_terminal(view)) is None
    assert HIDDEN.search(timeline_on_terminal(timed(view))) is None
