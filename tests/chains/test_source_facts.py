"""What sources declare of themselves, what the contract overrules, and until when chains can be proved."""

from pathlib import Path

import pytest

from custody.chains import retention, source_facts
from custody.chains.source_facts import SourceFact
from custody.engine.duck import Engine
from custody.model.contracts import EMPTY, Contract, ExpectedSource
from custody.model.times import text
from custody.pipeline.derive import facts_of_sources
from custody.sources.registry import sources
from tests.chains.running import derived

CASES = Path(__file__).resolve().parents[1] / "cases" / "chains"
DAY = 86_400_000_000
FACTS = (
    SourceFact(source="b.log", delivery_delay=900, time_resolution=1, retention=30 * DAY),
    SourceFact(source="a.log", delivery_delay=60, time_resolution=2),
)


def rows(facts: tuple[SourceFact, ...], contract: Contract) -> list[tuple[object, ...]]:
    with Engine(memory_mib=100, threads=1) as engine:
        source_facts.build(engine, facts, contract)
        return [tuple(row) for row in engine.rows("SELECT * FROM source_facts ORDER BY source")]


def keeping(**days: int) -> Contract:
    named = {name.replace("_", "."): count * DAY for name, count in days.items()}
    return Contract(sources=tuple(ExpectedSource(source=name, retention=life) for name, life in named.items()))


def test_what_a_source_does_not_say_stays_unknown() -> None:
    assert rows(FACTS, EMPTY) == [
        ("a.log", 60, 2, None, None),
        ("b.log", 900, 1, 30 * DAY, "product"),
    ]


def test_the_contract_overrules_and_may_name_sources_that_nobody_knows() -> None:
    assert rows(FACTS, keeping(a_log=7, b_log=400, mapped_own=1)) == [
        ("a.log", 60, 2, 7 * DAY, "contract"),
        ("b.log", 900, 1, 400 * DAY, "contract"),
        ("mapped.own", None, None, DAY, "contract"),
    ]


def test_a_source_that_the_contract_only_expects_keeps_what_it_says_of_itself() -> None:
    expecting = Contract(sources=(ExpectedSource(source="b.log", expect=DAY),))

    assert rows(FACTS, expecting)[1][3:] == (30 * DAY, "product")
    assert rows((), EMPTY) == []


def test_every_source_is_handed_to_the_chains() -> None:
    found = {each.source: each for each in facts_of_sources()}

    assert set(found) == {source.name for source in sources()}
    assert all(each.delivery_delay and each.time_resolution for each in found.values())
    assert found["github.audit"].retention == 180 * DAY


@pytest.mark.parametrize("days", [1, 90])
def test_a_chain_can_be_proved_until_its_issue_is_forgotten(days: int, tmp_path: Path) -> None:
    data = (CASES / "chain_of_three" / "input.ndjson").read_bytes()
    with derived(tmp_path, [data], keeping(aws_cloudtrail=days)) as case:
        keys = [str(row["key"]) for row in case.rows("SELECT key FROM credentials ORDER BY key")]
        first = {str(row["key"]): row["issued_at"] for row in case.rows("SELECT key, issued_at FROM credentials")}
        machines = {str(row["key"]) for row in case.rows("SELECT key FROM credentials WHERE population = 'machine'")}
        found = retention.provable(case.engine, keys)
        top = min(moment for moment in first.values() if isinstance(moment, int))

        assert machines
        assert set(found) == machines
        assert {(each.until, each.source) for each in found.values()} == {(top + days * DAY, "aws.cloudtrail")}
        assert retention.provable(case.engine, []) == {}


def test_where_no_source_says_how_long_it_keeps_records_there_is_no_date(tmp_path: Path) -> None:
    data = (CASES / "chain_of_three" / "input.ndjson").read_bytes()
    with derived(tmp_path, [data]) as case:
        keys = [str(row["key"]) for row in case.rows("SELECT key FROM credentials")]

        assert retention.provable(case.engine, keys) == {}


def test_the_source_that_forgets_first_is_named() -> None:
    with Engine(memory_mib=100, threads=1) as engine:
        columns = {"key": "VARCHAR", "source": "VARCHAR", "until": "BIGINT"}
        engine.table("provable", columns, [("k", "late", 9), ("k", "first", 5), ("k", "also", 5), ("other", "late", 1)])

        assert retention.provable(engine, ["k", "'; DROP TABLE provable; --"]) == {"k": retention.Provable(5, "also")}


def test_the_last_date_has_a_text() -> None:
    assert text(retention.LATEST) == "9999-12-31T23:59:59Z"
