"""The timeline: every record of the scope once or counted, in one order, with its own time kept."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from custody.engine.duck import Engine
from custody.incidents.seen import Moment, Reached, Scope, Touched
from custody.incidents.timeline import uses
from custody.incidents.timeline.known import Commit, Known
from custody.incidents.timeline.merging import Moments, corrected, timeline
from custody.incidents.view import Judgement, Rests, view
from custody.model.incidents import ActionKind, Done, Noted, SeedKind
from custody.model.leaf import LeafRef
from custody.model.times import microseconds, text
from tests.chains.running import derived
from tests.incidents.evidence_estate import SECRET, Trail, at, key
from tests.incidents.evidence_grounds import grounds_over
from tests.incidents.evidence_steps import NAME, TWO, Told, seed

SKEWED = Path(__file__).resolve().parents[1] / "cases" / "chains" / "clock_skew_is_measured_and_used"
HOSTILE = "=1+1\x1b[31m<script>\u202e"


def reached(name: str, join: str = "exact", *, apart: bool = False) -> Reached:
    return Reached(
        key=name, credential=f"c-{name}", who=f"who {name}", why="asked for", join=join, depth=0, alive=True,
        first_success=None, last_success=None, not_after=None, ended=None, apart=apart,
    )  # fmt: skip


def scope_of(*credentials: Reached, touched: tuple[Touched, ...] = ()) -> Scope:
    return Scope(
        as_of=None, credentials=credentials, identities=(), runs=(), touched=touched, surviving=(), first_success=None,
        last_success=None,
    )  # fmt: skip


def trail() -> Trail:
    """A key is made, works, makes a user and a key, reads a secret, is refused, and is ended."""
    found = Trail()
    found.made("10:00", "web")
    for second in range(5):
        found.used(f"10:01:0{second}", "web")
    found.call("10:01:05", "web", "ListBuckets", "s3", origin="203.0.113.9")
    found.used("10:01:06", "web")
    found.call(
        "10:02", "web", "CreateUser", "iam", asked={"userName": "backdoor"}, answer={"user": {"userName": "backdoor"}}
    )
    found.call("10:03", "web", "DeleteTrail", "cloudtrail", error="AccessDenied")
    found.used("10:04", "other")
    found.switched("10:05", "web", "Inactive")
    return found


@contextmanager
def over(folder: Path, files: Sequence[bytes]) -> Iterator[Engine]:
    with grounds_over(folder, files) as grounds:
        yield grounds.engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with over(tmp_path_factory.mktemp("trail"), [trail().file()]) as found:
        yield found


def lines(found: Moments, party: str = "system") -> list[tuple[str, str, int, str, str]]:
    """Time, kind, count, outcome, text."""
    shown = (each for each in found.moments if each.party == party)
    return [((text(e.at) or "")[11:19], e.kind, e.count, e.outcome, e.text) for e in shown]


def test_every_record_of_the_scope_has_a_line_and_alike_uses_are_one(engine: Engine) -> None:
    found = timeline(Told().incident(), scope_of(reached(key("web"))), engine)

    assert lines(found) == [
        ("10:00:00", "issue", 1, "success", "CreateAccessKey by arn:aws:iam::111122223333:user/ops"),
        ("10:01:00", "use", 6, "success", "ec2:DescribeInstances from 198.51.100.7"),
        ("10:01:05", "use", 1, "success", "s3:ListBuckets from 203.0.113.9"),
        ("10:02:00", "made", 1, "success", "user.create: arn:aws:iam::111122223333:user/backdoor"),
        ("10:03:00", "use", 1, "denied", "cloudtrail:DeleteTrail from 198.51.100.7"),
        ("10:05:00", "end", 1, "success", "key made inactive"),
    ]
    assert found.left_out == 0
    folded = next(each for each in found.moments if each.count == 6)
    assert (folded.last, folded.grade, folded.asserter) == (at("10:01:06"), "exact", "verifier")


def test_a_credential_reached_by_a_guess_gives_lines_of_that_grade_and_a_sibling_none(engine: Engine) -> None:
    guessed = timeline(Told().incident(), scope_of(reached(key("web"), "inferred")), engine)
    sibling = timeline(Told().incident(), scope_of(reached(key("other")), reached(key("web"), apart=True)), engine)

    assert {each.grade for each in guessed.moments if each.party == "system"} == {"inferred"}
    assert {each.key for each in sibling.moments if each.party == "system"} == {key("other")}


def test_what_is_left_out_is_counted(engine: Engine) -> None:
    known = Known()
    known.table(engine)
    uses.define(engine, [reached(key("web"))])
    kept, left = uses.uses(engine, most=1)

    # the stretch grew to all of the time first: then alike uses are one whatever stands between them
    assert [(each.text.partition(" ")[0], each.count) for each in kept] == [("ec2:DescribeInstances", 6)]
    assert left == 2  # ListBuckets and DeleteTrail; what made a user has a line of its own


def test_uses_known_at_two_times_are_two_lines(engine: Engine) -> None:
    scope = scope_of(reached(key("web")))
    whole = timeline(Told().incident(), scope, engine)
    first = next(each for each in whole.moments if each.count == 6).leaf.index
    sealed = Known(
        commits=(Commit(0, first + 2, 100), Commit(first + 2, 10_000, 200)), source_of=lambda _: "aws.cloudtrail"
    )
    found = timeline(Told().incident(), scope, engine, sealed=sealed)

    folded = [(each.count, each.known) for each in found.moments if each.text.startswith("ec2:DescribeInstances")]
    assert folded == [(2, 100), (4, 200)]


def test_reads_of_secrets_are_marked_where_the_scope_knows_them(engine: Engine) -> None:
    whole = timeline(Told().incident(), scope_of(reached(key("web"))), engine)
    leaf = next(each.leaf.index for each in whole.moments if "ListBuckets" in each.text)
    what = Touched(
        what="secret", name="payments/db", by=key("web"), event="s3.amazonaws.com:ListBuckets", first=0, last=0,
        count=1, leaf=LeafRef("operations", leaf),
    )  # fmt: skip
    engine.table("secret_leaves", {"leaf": "BIGINT"}, [(leaf,)])
    try:
        found = timeline(Told().incident(), scope_of(reached(key("web")), touched=(what,)), engine)
    finally:
        engine.run("DELETE FROM secret_leaves")

    assert [each.text for each in found.moments if each.kind == "secret"] == [
        "s3:ListBuckets on payments/db from 203.0.113.9"
    ]


def comparable(found: Moments) -> list[Moment]:
    """Without leaves, which depend on the order of sealing."""
    return [msgspec.structs.replace(each, leaf=LeafRef("operations", 0)) for each in found.moments]


@pytest.mark.parametrize("number", range(2))
def test_the_order_and_repetition_of_the_records_change_nothing(tmp_path: Path, engine: Engine, number: int) -> None:
    records = trail().records
    mixed = [*records, *records[:4]]
    random.Random(number).shuffle(mixed)
    half = len(mixed) // 2
    scope = scope_of(reached(key("web")), reached(key("other"), "bounded"))
    with over(tmp_path, [trail().file(mixed[:half]), trail().file(mixed[half:])]) as other:
        shuffled = timeline(Told().incident(), scope, other)

    assert comparable(shuffled) == comparable(timeline(Told().incident(), scope, engine))


def test_clocks_are_corrected_beside_the_times_and_decide_the_order(tmp_path: Path) -> None:
    files = [path.read_bytes() for path in sorted(SKEWED.glob("input*"))]
    with derived(tmp_path, files) as case:
        keys = [str(row["key"]) for row in case.rows("SELECT key FROM credentials ORDER BY key")]
        found = timeline(Told().incident(), scope_of(*map(reached, keys)), case.engine)

    shifted = {each.source: each.shifted for each in found.shifts.each}
    made = [each for each in found.moments if each.source == "postgresql"]
    assert set(shifted.values()) == {0, 10_002_000} or set(shifted.values()) == {0, -10_002_000}
    assert made
    assert found.moments == tuple(sorted(found.moments, key=corrected))
    assert all(each.shifted == shifted[each.source] for each in found.moments if each.source)
    opened = next(each for each in found.moments if each.kind == "session")
    assert text(opened.at) == "2026-03-02T09:59:51Z"  # as the database wrote it
    assert SECRET not in str(found)


def test_steps_stand_in_lanes_of_people_and_say_whether_they_count(engine: Engine) -> None:
    told = Told(seed(SeedKind.KEY, key("web")))
    asked = told.ask(ActionKind.CONTAIN, key("web"), decision=TWO)
    told.decide(asked, "11:01", "ann")
    told.decide(asked, "11:02", "lea")
    told.done(asked, "11:03", sealed="11:20")
    told.say("11:30", Noted(incident=NAME, text=HOSTILE), None)
    wild = told.ask(ActionKind.REVOKE, key("web"), decision=TWO, clock="11:40")
    told.done(wild, "11:41", by=None)
    told.say("11:50", Done(incident=NAME, action="a-9", how="elsewhere", did=("it",), at="never"), "ann")
    found = timeline(told.incident(), scope_of(), engine)

    steps = [
        (e.lane, e.kind, e.grade, e.outcome, text(e.at), text(e.known)) for e in found.moments if e.party == "person"
    ]
    day = "2026-03-02T{}:00Z".format
    assert steps == [
        ("ann", "aware", "said", "success", day("10:55"), day("10:56")),
        ("ann", "opened", "exact", "success", day("10:56"), day("10:56")),
        ("ann", "request", "exact", "success", day("11:00"), day("11:00")),
        ("ann", "approve", "exact", "void", day("11:01"), day("11:01")),
        ("lea", "approve", "exact", "success", day("11:02"), day("11:02")),
        ("ann", "done", "said", "success", day("11:03"), day("11:20")),
        ("account:shared", "noted", "said", "success", day("11:30"), day("11:30")),
        ("ann", "request", "exact", "success", day("11:40"), day("11:40")),
        ("account:shared", "done", "said", "unapproved", day("11:41"), day("11:41")),
        ("ann", "done", "said", "void", day("11:50"), day("11:50")),
    ]
    why = {each.text for each in found.moments if each.outcome != "success" and each.party == "person"}
    assert any("its author asked for the action, is to do it, or did it" in each for each in why)
    assert any("without approval: nobody had approved it" in each for each in why)
    assert any("changes nothing: no such action was asked for" in each for each in why)


def test_the_view_has_every_line_and_lane_and_times_as_text(engine: Engine) -> None:
    told = Told(seed(SeedKind.KEY, key("web")))
    asked = told.ask(ActionKind.CONTAIN, key("web"))
    told.done(asked)
    incident, scope = told.incident(), scope_of(reached(key("web")), reached(key("other"), apart=True))
    moments = timeline(incident, scope, engine)
    shown = view(incident, Judgement(scope=scope), moments, Rests(now=at("12:00"), version="1", known_at=at("12:00")))

    assert len(shown.timeline.moments) == len(moments.moments)
    assert {(each.party, each.lane) for each in shown.timeline.lanes} == {("system", "AWS"), ("person", "ann")}
    assert sum(each.moments for each in shown.timeline.lanes) == len(moments.moments)
    assert [each.status for each in shown.actions] == ["done"]
    assert shown.known_at == "2026-03-02T12:00:00Z"
    assert [each.apart for each in shown.scope.credentials] == [False, True]
    assert [microseconds(each.at) for each in shown.timeline.moments] == [each.at for each in moments.moments]
    assert msgspec.json.decode(msgspec.json.encode(shown), type=type(shown)) == shown
