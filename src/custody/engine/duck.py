"""The named adapter of DuckDB: the only file that touches its untyped API.

An engine is one in-memory database with a memory limit and a spill folder. It reads no clock, installs and loads no
extension, and may read only the files that its callers name.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from custody.errors import StoreError

if TYPE_CHECKING:
    import duckdb

Cell = str | int | float | bool | bytes | None | list[int] | list[str]


FEW = 2000
"""Rows up to this many go in as parameters: importing pyarrow alone costs a tenth of a second."""

MOST_KEPT = 1024
LONGEST_KEPT = 32_768
"""So many texts of so many characters are kept parsed at most: longer ones name files, and come once."""


class Engine:
    """A DuckDB connection behind typed calls. Use as a context manager; errors come out as StoreError.

    With ``spill``, a folder that the caller removes afterwards, tables live in a file there and leave memory when it
    is short: tables of an in-memory database never do.
    """

    def __init__(self, *, memory_mib: int = 700, threads: int = 2, spill: Path | None = None) -> None:
        import duckdb

        self._error: type[Exception] = duckdb.Error
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{memory_mib}MiB",
            "threads": threads,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
            "temp_directory": str(spill) if spill is not None else "",
        }
        if spill is not None:
            spill.mkdir(parents=True, exist_ok=True)
        place = ":memory:" if spill is None else str(spill / "engine.duckdb")
        self._connection: duckdb.DuckDBPyConnection = duckdb.connect(place, config=config)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def run(self, sql: str, parameters: Sequence[Cell] = ()) -> None:
        """Run statements for their effect."""
        self._execute(sql, parameters)

    def rows(self, sql: str, parameters: Sequence[Cell] = ()) -> list[tuple[Cell, ...]]:
        """All rows of a query that is known to be small."""
        return self._execute(sql, parameters).fetchall()

    def one(self, sql: str, parameters: Sequence[Cell] = ()) -> tuple[Cell, ...]:
        """The one row of an aggregate."""
        return self.rows(sql, parameters)[0]

    def number(self, sql: str, parameters: Sequence[Cell] = ()) -> int:
        """The one number of a count; 0 where it is NULL."""
        value = self.one(sql, parameters)[0]
        return value if isinstance(value, int) else 0

    def stream(self, sql: str, parameters: Sequence[Cell] = (), chunk: int = 20_000) -> Iterator[tuple[Cell, ...]]:
        """Rows of a query, fetched ``chunk`` at a time, so that memory stays flat.

        It has a cursor of its own: other queries may run while it is read.
        """
        cursor = self._connection.cursor()
        try:
            _executed(cursor, sql, parameters)
            while rows := cursor.fetchmany(chunk):
                yield from rows
        except self._error as error:
            raise _failed(error) from error
        finally:
            cursor.close()

    def table(self, name: str, columns: dict[str, str], rows: Iterable[Sequence[Cell]]) -> None:
        """Make the table ``name`` of ``rows``; ``columns`` maps names to SQL types."""
        declared = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
        self._execute(f'CREATE OR REPLACE TABLE "{name}" ({declared})', ())
        rows = list(rows)
        if len(rows) > FEW:
            self._insert_columns(name, columns, rows)
            return
        for start in range(0, len(rows), 100):
            some = rows[start : start + 100]
            marks = ", ".join("(" + ", ".join("?" for _ in columns) + ")" for _ in some)
            self._execute(f'INSERT INTO "{name}" VALUES {marks}', [cell for row in some for cell in row])

    def copy(self, sql: str, path: Path) -> None:
        """Write the result of a query to a Parquet file (zstd)."""
        self._execute(
            f"COPY ({sql}) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20480)", ()
        )

    def _insert_columns(self, name: str, columns: dict[str, str], rows: Sequence[Sequence[Cell]]) -> None:
        import pyarrow as pa

        kinds = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "BOOLEAN": pa.bool_()}
        arrays = [
            pa.array(list(values), type=kinds[kind])
            for values, kind in zip(zip(*rows, strict=True), columns.values(), strict=True)
        ]
        self._connection.register("_incoming", pa.table(arrays, names=list(columns)))
        self._execute(f'INSERT INTO "{name}" SELECT * FROM _incoming', ())
        self._connection.unregister("_incoming")

    def _execute(self, sql: str, parameters: Sequence[Cell]) -> duckdb.DuckDBPyConnection:
        try:
            return _executed(self._connection, sql, parameters)
        except self._error as error:
            raise _failed(error) from error


_parsed: dict[str, list[duckdb.Statement]] = {}
"""The statements of each text, parsed. A derivation is some three hundred texts, nearly all the same each time: where a
process derives again and again (``--follow``, a service) a quarter of a small one would be parsing them anew."""

atexit.register(_parsed.clear)  # while the interpreter is whole: DuckDB reports what is held after that as leaked


def _executed(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Cell]) -> duckdb.DuckDBPyConnection:
    """Run the statements of ``sql``; the last one has the parameters, and its rows are there to be fetched."""
    statements = _statements(connection, sql)
    for statement in statements[:-1]:
        connection.execute(statement)
    return connection.execute(statements[-1], list(parameters) if parameters else None)


def _statements(connection: duckdb.DuckDBPyConnection, sql: str) -> list[duckdb.Statement]:
    known = _parsed.get(sql)
    if known is not None:
        return known
    found = connection.extract_statements(sql)
    if len(sql) <= LONGEST_KEPT:
        if len(_parsed) >= MOST_KEPT:
            _parsed.clear()
        _parsed[sql] = found
    return found


def _failed(error: Exception) -> StoreError:
    found = str(error).splitlines()[0]
    if "Out of Memory" in found:
        return StoreError("the query engine has too little memory", found=found, advice="raise its limit with --memory")
    return StoreError(
        "a query over the derived tables failed",
        found=found,
        advice="custody rebuild makes the derived tables anew from the sealed records",
    )


def literal(text: str) -> str:
    """A SQL string literal of ``text``."""
    return "'" + text.replace("'", "''") + "'"


def parquet(paths: Sequence[Path]) -> str:
    """A table expression over Parquet files, named one by one: no pattern in a folder name can widen it."""
    names = ", ".join(literal(str(path)) for path in paths)
    return f"read_parquet([{names}], union_by_name = true)"
