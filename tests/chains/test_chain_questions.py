"""What is asked of derived tables: search, the steps of a chain, descendants; and the two registries."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from custody.chains import containment, search, stored, trace
from custody.chains.join import CANDIDATE, RUN, Grade, load
from custody.engine.duck import Engine
from custody.model.contracts import Versions
from custody.model.effects import said
from custody.model.keys import names_of
from custody.pipeline.derive import derive, write
from custody.rules import judging
from custody.rules.registry import load as rules
from tests.chains.running import committed

CASES = Path(__file__).resolve().parents[1] / "cases" / "chains"
ROLE = "arn:aws:iam::111122223333:role/app"
INSTANCE = "i-0123456789abcdef0"


class Opened:
    """The tables of a case as they lie on disk, attached again."""

    def __init__(self, tables: Path, engine: Engine, case: str) -> None:
        self.engine = engine
        folder = tables / case
        if not folder.exists():
            write_tables(folder, (CASES / case / "input.ndjson").read_bytes())
        stored.attach(engine, folder, judging.fact_tables(rules()))
        stored.attach_parts(engine, [folder / "events.parquet"], None)
        judging.define(engine, 0)

    def key(self, tail: str) -> str:
        ((key,),) = self.engine.rows("SELECT key FROM credentials WHERE right(key, length(?)) = ?", [tail, tail])
        return str(key)


def write_tables(folder: Path, records: bytes) -> None:
    found = committed(folder, [records])
    with Engine(memory_mib=300, threads=1) as building:
        write(building, folder, found.files, derive(building, found, Versions()))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of each case that was asked for: questions change nothing, so they are derived once."""
    return tmp_path_factory.mktemp("tables")


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(memory_mib=300, threads=1) as opened:
        yield opened


def hits(engine: Engine, text: str) -> list[tuple[str, str]]:
    found = search.by_table(engine, text)
    return [(hit.key[-5:].lstrip("0"), hit.how) for hit in found.hits]


def test_a_role_finds_every_key_that_speaks_for_it_by_any_of_its_names(engine: Engine, tables: Path) -> None:
    Opened(tables, engine, "machines")

    for name in (ROLE, "role/app", "app"):
        assert sorted(hits(engine, name)) == [("INS", "role or user"), ("PLAIN", "role or user")]
    assert hits(engine, INSTANCE) == [("INS", "workload")]
    assert hits(engine, "fn") == [("FUN", "role or user")]
    assert hits(engine, "ann") == [("ANN", "role or user"), ("PLAIN", "session name")]


@pytest.mark.parametrize("text", ["%", "_", "role/_pp", "ap", "pp", "", "'", "app' OR 1=1 --"])
def test_what_is_typed_is_no_pattern(text: str, engine: Engine, tables: Path) -> None:
    Opened(tables, engine, "machines")

    assert hits(engine, text) == []
    assert search.by_table(engine, text or "x").searched


def test_keys_addresses_and_credential_ids_are_found(engine: Engine, tables: Path) -> None:
    opened = Opened(tables, engine, "holder_stolen")
    victim = opened.key("VICTIM")

    assert (
        hits(engine, victim.rpartition(":")[2]) == [("CTIM", "access key")]
        or hits(engine, victim) == [("CTIM", "key")]
        or search.by_table(engine, victim).hits[0].key == victim
    )
    assert [hit.key[-3:] for hit in search.by_table(engine, "203.0.113.66").hits] == ["TIM", "MAL"]
    assert hits(engine, "::FFFF:203.0.113.66") == hits(engine, "203.0.113.66")
    credential = trace.credential(engine, victim)
    assert credential is not None
    assert [hit.key for hit in search.by_table(engine, credential.credential).hits] == [victim]


def test_every_step_names_its_event_and_runs_start_before_they_end(engine: Engine, tables: Path) -> None:
    opened = Opened(tables, engine, "holder_instance_gone")
    found = trace.credential(engine, opened.key("KEY"))
    assert found is not None

    steps = trace.steps(engine, found)

    assert [step.stage for step in steps] == ["start", "issue", "use", "end", "use"]
    assert all(step.event.startswith("holder_instance_gone-") for step in steps)
    assert len({step.event for step in steps}) == len(steps)
    assert [step.text for step in steps if step.stage in ("start", "end")] == [
        f"run starts: {INSTANCE}",
        f"run ends: {INSTANCE}",
    ]


def test_an_end_is_said_in_words(engine: Engine, tables: Path) -> None:
    opened = Opened(tables, engine, "role_deleted")
    found = trace.credential(engine, opened.key("OLD"))
    assert found is not None

    (end,) = [step for step in trace.steps(engine, found) if step.stage == "end"]

    assert (end.text, end.rule, end.join, end.asserter) == ("role deleted", "principal_end", "exact", "issuer")
    assert said("made.up") == "made.up"
    assert said(None) == "ended"


def test_a_key_made_active_again_shows_it(engine: Engine, tables: Path) -> None:
    opened = Opened(tables, engine, "key_deactivated")
    keys = [str(key) for (key,) in engine.rows("SELECT DISTINCT key FROM activations ORDER BY key")]
    assert keys

    for key in keys:
        found = trace.credential(opened.engine, key)
        assert found is not None
        told = [(step.stage, step.text) for step in trace.steps(engine, found) if step.stage in ("revoke", "change")]
        assert ("change", "key made active again") in told


def test_descendants_have_the_depth_of_their_generation(engine: Engine, tables: Path) -> None:
    opened = Opened(tables, engine, "chain_of_three")

    found = containment.contain(engine, opened.key("TOP"))

    assert [(member.key[-3:], member.depth) for member in found.members] == [
        ("TOP", 0),
        ("MID", 1),
        ("LOW", 2),
        ("END", 3),
    ]
    assert not found.cut_off


def test_children_of_one_parent_are_of_one_generation(engine: Engine, tmp_path: Path) -> None:
    lines = (CASES / "chain_of_three" / "input.ndjson").read_bytes()
    record = json.loads(lines.splitlines()[1])
    more = []
    for number in range(3):
        record["eventID"] = f"more-{number}"
        record["responseElements"]["credentials"]["accessKeyId"] = f"ASIA00000000000KID{number}"
        more.append(json.dumps(record).encode())
    folder = tmp_path / "tables"
    write_tables(folder, lines + b"\n".join(more) + b"\n")
    stored.attach(engine, folder, judging.fact_tables(rules()))
    judging.define(engine, 0)
    ((top,),) = engine.rows("SELECT key FROM credentials WHERE key LIKE '%TOP'")

    members = containment.contain(engine, str(top)).members

    assert sorted((member.key[-4:], member.depth) for member in members) == [
        ("0END", 3), ("0LOW", 2), ("0MID", 1), ("0TOP", 0), ("KID0", 1), ("KID1", 1), ("KID2", 1),
    ]  # fmt: skip


def test_a_circle_of_parents_is_walked_once(engine: Engine, tables: Path) -> None:
    opened = Opened(tables, engine, "parents_in_a_circle")

    found = containment.contain(engine, opened.key("ONE"))

    assert sorted(member.key[-3:] for member in found.members) == ["ONE", "REE", "TWO"]


def test_joins_declare_what_they_rest_on() -> None:
    found = load()

    assert [join.id for join in found] == sorted({join.id for join in found})
    for join in found:
        assert join.grade in Grade
        assert join.fields
        assert join.asserter
        assert join.pitfalls
        assert "→" in join.relation
    for join in found:
        weak = join.relation in (CANDIDATE, "use → candidate parent key") or (
            join.relation == RUN and "candidates" in join.sql and "count(*)" in join.sql
        )
        assert (join.grade is not Grade.EXACT) == weak, join.id


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("", ()),
        ("plain", ()),
        (f"aws_arn:111122223333:{ROLE}", (ROLE, "aws:role/app", "aws:111122223333:role/app")),
        (
            "aws_arn:111122223333:arn:aws:iam::111122223333:user/batch-1",
            ("arn:aws:iam::111122223333:user/batch-1", "aws:user/batch-1", "aws:111122223333:user/batch-1"),
        ),
        ("aws_arn:-:arn:aws:s3:::role/app", ("arn:aws:s3:::role/app",)),
        (f"aws_instance:111122223333:{INSTANCE}", (INSTANCE,)),
        (
            "oidc_subject:token.actions.githubusercontent.com:repo:acme/shop:environment:prod",
            ("github:acme/shop:environment:prod",),
        ),
        ("oidc_subject:token.actions.githubusercontent.com/acme:repo:acme/shop:ref:x", ("github:acme/shop:ref:x",)),
        ("oidc_subject:token.actions.githubusercontent.com.evil.example:repo:acme/shop:x", ()),
        ("oidc_subject:evil.example:repo:acme/shop:x", ()),
        (f"oidc_subject:evil.example:{INSTANCE}", ()),
        ("oidc_subject:evil.example/token.actions.githubusercontent.com:repo:acme/shop:x", ()),
    ],
)
def test_a_key_goes_by_its_own_names_and_no_other(key: str, names: tuple[str, ...]) -> None:
    assert names_of(key) == ((key, *names) if key else ())


def test_records_in_conflict_are_marked_in_stored_tables_as_they_were_when_derived(tmp_path: Path) -> None:
    found = committed(tmp_path, [(CASES / "conflict_in_a_use" / "input.ndjson").read_bytes()])
    marked = "SELECT leaf, in_conflict FROM parts WHERE leaf IS NOT NULL ORDER BY leaf, in_conflict"
    with Engine(memory_mib=300, threads=1) as building:
        write(building, tmp_path, found.files, derive(building, found, Versions()))
        derived = building.rows(marked)
    with Engine(memory_mib=300, threads=1) as engine:
        stored.attach(engine, tmp_path, judging.fact_tables(rules()))
        stored.attach_parts(engine, found.files, None)

        assert engine.rows(marked) == derived

    assert {bool(conflict) for _, conflict in derived} == {True, False}


def test_tables_without_any_event_file_can_be_asked(tmp_path: Path) -> None:
    with Engine(memory_mib=300, threads=1) as engine:
        stored.attach_parts(attached_empty(engine), [], ["aws_akid:aws:AKIA0000000000000000"])

        assert engine.rows("SELECT count(*) FROM parts") == [(0,)]


def attached_empty(engine: Engine) -> Engine:
    """The tables of parts that hold nothing."""
    for name in ("conflicted", "variants", "aliases"):
        engine.run(f'CREATE TABLE "{name}" (leaf BIGINT, key VARCHAR, target VARCHAR)')
    return engine
