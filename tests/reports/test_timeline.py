"""The swim-lane drawing of a chain, as numbers."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.model.report import ClockRef
from custody.reports.views.drawing import LEFT, WIDTH, Timeline
from custody.reports.views.lanes import ORIGIN_LANES, source_of
from custody.reports.views.scale import scale
from custody.reports.views.timeline import NEAR, timeline
from tests.reports.hostile import poisoned, text
from tests.reports.sample_chains import at, chain_of, many_chains, sample_chains, step
from tests.reports.sample_systems import clocks, database_chain

moments = st.timedeltas(timedelta(0), timedelta(days=36500)).map(lambda since: datetime(2000, 1, 1, tzinfo=UTC) + since)


def drawn(place: int) -> Timeline:
    found = timeline(sample_chains()[place])
    assert found is not None
    return found


@given(st.lists(moments, min_size=2, max_size=40, unique=True))
def test_the_scale_keeps_order_and_goes_from_0_to_1(times: list[datetime]) -> None:
    found = scale(times)
    places = [found.at(time) for time in sorted(times)]

    assert places[0] == 0
    assert places[-1] == pytest.approx(1)
    assert all(before < after for before, after in pairwise(places))


def test_long_gaps_are_compressed() -> None:
    start = datetime(2023, 7, 10, tzinfo=UTC)
    found = scale([start, start + timedelta(seconds=1), start + timedelta(hours=6)])

    assert 0.2 < found.at(start + timedelta(seconds=1)) < 0.5


def test_a_single_time_stands_in_the_middle_and_unknown_times_at_the_one_before() -> None:
    start = datetime(2023, 7, 10, tzinfo=UTC)

    assert scale([start, start]).at(start) == 0.5
    assert scale([]).at(start) == 0
    assert scale([]).near(start) == 0
    assert scale([start, start + timedelta(hours=2)]).near(start + timedelta(hours=1)) == 0.5
    assert scale([start, start + timedelta(hours=2)]).near(start + timedelta(hours=3)) == 1
    assert scale([start, start + timedelta(hours=2)]).at(start + timedelta(hours=1)) == 0
    assert scale([start, start + timedelta(hours=2)]).at(start - timedelta(hours=1)) == 0


def test_each_actor_has_a_lane() -> None:
    assert [(lane.name, lane.role) for lane in drawn(0).lanes] == [
        ("ec2.amazonaws.com", "issuer"),
        ("i-0dbc91f429e48eeed", "run"),
        ("192.168.10.20", "origin of use, AWS"),
    ]
    assert [lane.role for lane in drawn(1).lanes] == ["parent, access key", "issuer", *["origin of use, AWS"] * 3]


def across(*apart: ClockRef) -> Timeline:
    found = timeline(database_chain(), apart)
    assert found is not None
    return found


def test_a_chain_over_several_systems_has_lanes_by_system_from_its_parents_down() -> None:
    assert [(lane.full, lane.role, lane.system) for lane in across().lanes] == [
        ("aqXSnLsH6hnv35NeyAF9iPWe", "parent, Vault token", "Vault"),
        ("JTI=414f04fd-0000-4000-8000-00000000c001", "candidate parent 1 of 2", "Kubernetes"),
        ("JTI=b8cedf43-0000-4000-8000-00000000c002", "candidate parent 2 of 2", "Kubernetes"),
        ("GitHub", "approvals", "GitHub"),
        ("Vault", "issuer", "Vault"),
        ("PostgreSQL", "changes and ends", "PostgreSQL"),
        ("2b1d0c5e-0000-4000-8000-00000000a001", "run, pod", ""),
        ("PostgreSQL", "sessions", "PostgreSQL"),
        ("192.0.2.14", "origin of use, PostgreSQL", "PostgreSQL"),
        ("OpenTelemetry", "told, proves nothing", "OpenTelemetry"),
    ]


def test_parents_approvals_and_run_are_joined_to_the_issue_with_their_own_grade() -> None:
    found = across()
    issue = next(mark for mark in found.marks if mark.kind == "issue")
    above = [link.grade for link in found.links if "V" in link.path]
    parents = [mark.x for mark in found.marks if mark.kind in ("parent", "candidate")]
    into = [link.grade for link in found.links if "C" in link.path and link.path.endswith(f" {issue.x} {issue.y}")]

    assert above == ["exact", "inferred", "bounded"]
    assert parents == [issue.x, issue.x - 7, issue.x - 14]
    assert into == ["exact", "bounded"]
    assert [link.grade for link in found.links].count("told") == 1


def test_sessions_and_runs_are_bars_from_their_start_to_their_end() -> None:
    session, run = across().bars
    marks = {mark.kind: mark for mark in across().marks}

    assert (session.kind, run.kind) == ("session", "run")
    assert session.x == next(mark.x for mark in across().marks if mark.kind == "use")
    assert session.x + session.width < marks["end"].x
    assert (run.x, run.x + run.width) == (marks["start"].x, marks["run-end"].x)


def test_a_session_that_nothing_closes_goes_on_to_the_last_step() -> None:
    chain = database_chain()
    stages = tuple(each for each in chain.stages if not each.text.startswith("session closed"))
    found = timeline(msgspec.structs.replace(chain, stages=stages))

    assert found is not None
    assert found.bars[0].title.startswith("session 6b02e392.3729, no end seen")
    assert found.bars[0].x + found.bars[0].width == max(mark.x for mark in found.marks)


def test_where_clocks_are_apart_a_band_says_so_around_each_mark_of_the_other_system() -> None:
    found = across(*clocks())
    systems = {lane.y: lane.system for lane in found.lanes}
    first = next(mark for mark in found.marks if mark.kind == "use")
    band = next(band for band in found.unsure if band.y == first.y)

    assert across().unsure == ()
    assert {systems[band.y] for band in found.unsure} == {"PostgreSQL"}
    assert {band.title for band in found.unsure} == {"clocks of Vault and PostgreSQL: 0.500 s apart at most"}
    assert band.x < next(mark.x for mark in found.marks if mark.kind == "issue") < first.x < band.x + band.width


def test_clocks_apart_by_more_than_the_calendar_draw_nothing_outside_of_the_box() -> None:
    found = across(*(msgspec.structs.replace(each, widest=1e300) for each in clocks()))

    assert all(band.x >= LEFT and band.x + band.width <= WIDTH for band in found.unsure)


def test_times_of_one_second_are_written_with_what_tells_them_apart() -> None:
    assert [tick.label for tick in across().ticks] == ["12:44:01", "12:44:02.227", "12:51:09", "13:44:07"]


def test_the_source_of_a_step_goes_before_what_its_key_tells() -> None:
    drop = database_chain().stages[11]

    assert source_of(drop, database_chain()) == "PostgreSQL"
    assert source_of(database_chain().stages[2], database_chain()) == "Vault"
    assert source_of(database_chain().stages[1], database_chain()) == "GitHub"
    assert source_of(database_chain().stages[0], database_chain()) == "Kubernetes"


def test_steps_have_shapes_in_the_order_of_time() -> None:
    kinds = [mark.kind for mark in sorted(drawn(0).marks, key=lambda mark: mark.x)]

    assert kinds == ["start", "issue", "use", "use", "denied", "run-end", "end"]
    assert [mark.kind for mark in drawn(0).marks if mark.cited] == ["use", "use"]


def test_links_are_drawn_with_their_grade() -> None:
    assert {link.grade for link in drawn(0).links} == {"exact"}
    assert [link.grade for link in drawn(1).links].count("inferred") == 1


def test_life_is_a_band_from_issue_to_expiry_and_the_end_of_the_key_is_marked() -> None:
    found = drawn(0)
    issue = next(mark for mark in found.marks if mark.kind == "issue")
    end = next(mark for mark in found.marks if mark.kind == "end")

    assert found.life is not None
    assert found.life[0] == issue.x
    assert found.life[0] + found.life[1] > end.x
    assert found.life_ends
    assert found.end == end.x


def test_a_key_without_issuance_has_no_life_and_one_without_expiry_no_end_of_it() -> None:
    endless = msgspec.structs.replace(sample_chains()[4], not_after=None)
    found = timeline(endless)

    assert drawn(2).life is None
    assert found is not None
    assert found.life is not None
    assert not found.life_ends


def test_what_would_lie_on_top_of_each_other_is_counted() -> None:
    uses = tuple(step("use", "11:00:00", n, "s3:ListBuckets", "192.0.2.1") for n in range(30))
    issue = step("issue", "10:00:00", 900, "AssumeRole by ec2.amazonaws.com")
    found = timeline(chain_of("aws_akid:aws:ASIA1", "one", (issue, *uses), ()))

    assert found is not None
    assert [mark.count for mark in found.marks if mark.kind == "use"] == [30]


def test_marks_of_a_kind_in_one_lane_never_touch() -> None:
    found = timeline(many_chains()[0])
    assert found is not None
    places = sorted(mark.x for mark in found.marks if mark.kind == "use")

    assert all(after - before >= NEAR for before, after in pairwise(places))
    assert sum(mark.count for mark in found.marks if mark.kind == "use") == 39


def test_many_origins_share_the_last_lane() -> None:
    uses = tuple(step("use", f"11:00:{n:02d}", n, "s3:ListBuckets", f"192.0.2.{n}") for n in range(20))
    found = timeline(chain_of("aws_akid:aws:ASIA1", "one", uses, ()))

    assert found is not None
    assert len(found.lanes) == ORIGIN_LANES
    assert found.lanes[-1].name == "15 more origins"
    assert sum(mark.count for mark in found.marks) == 20


def test_times_are_written_without_covering_each_other() -> None:
    for chain in sample_chains():
        found = timeline(chain)
        assert found is not None
        places = [tick.x for tick in found.ticks]
        assert places == sorted(places)
        assert all(after - before >= 80 for before, after in pairwise(places))
    assert drawn(1).ticks[0].label == "07-10 12:10:00"


def test_without_a_readable_time_there_is_nothing_to_draw() -> None:
    lost = msgspec.structs.replace(step("use", "11:00:00", 1, "s3:ListBuckets"), time="yesterday")
    naive = msgspec.structs.replace(lost, time="2023-07-10T11:00:00")

    assert timeline(chain_of("aws_akid:aws:ASIA1", "one", (), ())) is None
    assert timeline(chain_of("aws_akid:aws:ASIA1", "one", (lost, naive), ())) is None


@settings(max_examples=40, deadline=None)
@given(text, st.lists(moments, min_size=1, max_size=20))
def test_whatever_the_chain_the_drawing_stays_inside_its_box(poison: str, times: list[datetime]) -> None:
    stages = tuple(
        msgspec.structs.replace(
            step(("issue", "use", "end", "start")[n % 4], "11:00:00", n, poison, poison), time=time.isoformat()
        )
        for n, time in enumerate(times)
    )
    chain = poisoned(chain_of("aws_akid:aws:ASIA1", "one", (), ()), poison)
    found = timeline(msgspec.structs.replace(chain, stages=stages, not_after=at("12:00:00")))

    assert found is not None
    assert all(LEFT <= mark.x <= WIDTH and 0 < mark.y < found.height for mark in found.marks)
    assert all(0 < lane.y < found.height for lane in found.lanes)
