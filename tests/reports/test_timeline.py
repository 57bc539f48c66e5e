"""The swim-lane drawing of a chain, as numbers."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.reports.views.scale import scale
from custody.reports.views.timeline import LEFT, NEAR, ORIGIN_LANES, WIDTH, Timeline, timeline
from tests.reports.hostile import poisoned, text
from tests.reports.sample_chains import at, chain_of, many_chains, sample_chains, step

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
    assert scale([start, start + timedelta(hours=2)]).at(start + timedelta(hours=1)) == 0
    assert scale([start, start + timedelta(hours=2)]).at(start - timedelta(hours=1)) == 0


def test_each_actor_has_a_lane() -> None:
    assert [(lane.name, lane.role) for lane in drawn(0).lanes] == [
        ("ec2.amazonaws.com", "issuer"),
        ("i-0dbc91f429e48eeed", "run"),
        ("192.168.10.20", "origin of use"),
    ]
    assert [lane.role for lane in drawn(1).lanes] == ["parent key", "issuer", *["origin of use"] * 3]


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
