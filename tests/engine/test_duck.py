"""The engine: typed rows, tables, limits, and no way out of its sandbox."""

from pathlib import Path

import pytest

from custody.engine.duck import FEW, Engine, literal, parquet
from custody.errors import StoreError


def test_rows_come_back_as_they_went_in() -> None:
    rows = [("a", 1, True), ("b'; DROP TABLE x; --", None, False)]
    with Engine(threads=1) as engine:
        engine.table("x", {"name": "VARCHAR", "number": "BIGINT", "flag": "BOOLEAN"}, rows)

        assert engine.rows("SELECT * FROM x ORDER BY name") == rows
        assert engine.rows("SELECT number FROM x WHERE name = ?", ["a"]) == [(1,)]
        assert list(engine.stream("SELECT name FROM x ORDER BY name", chunk=1)) == [("a",), ("b'; DROP TABLE x; --",)]


def test_many_rows_go_in_as_columns() -> None:
    with Engine(threads=1) as engine:
        engine.table("x", {"name": "VARCHAR", "number": "BIGINT"}, [(str(n), n) for n in range(FEW + 1)])

        assert engine.number("SELECT sum(number)::BIGINT FROM x") == FEW * (FEW + 1) // 2


def test_a_table_is_written_and_read_under_any_name(tmp_path: Path) -> None:
    path = tmp_path / "it's [a] *table*.parquet"
    with Engine(threads=1) as engine:
        engine.copy("SELECT 1 AS n UNION ALL SELECT 2", path)

        assert literal("it's") == "'it''s'"
        assert path.exists()
    with Engine(threads=1) as engine:
        assert engine.number(f"SELECT count(*) FROM {parquet([path])}") == 2


def test_a_query_that_fails_is_an_error_of_ours() -> None:
    with Engine(threads=1) as engine, pytest.raises(StoreError, match="query over the derived tables"):
        engine.rows("SELECT * FROM nowhere")


def test_tables_leave_memory_when_it_is_short(tmp_path: Path) -> None:
    with Engine(memory_mib=128, threads=1, spill=tmp_path / "spill") as engine:
        for name in ("a", "b", "c"):
            engine.run(f"CREATE TABLE {name} AS SELECT range AS n, repeat(range::VARCHAR, 20) AS t FROM range(1000000)")

        assert engine.number("SELECT count(*) FROM a JOIN b ON a.n = b.n JOIN c ON c.n = b.n") == 1_000_000


def test_too_little_memory_says_how_to_raise_it() -> None:
    with Engine(memory_mib=128, threads=1) as engine, pytest.raises(StoreError) as caught:
        engine.rows("SELECT array_agg(repeat(range::VARCHAR, 50)) FROM range(20000000)")

    assert "--memory" in caught.value.advice
