"""The derived tables as they lie on disk: written by a build, attached again to answer a question."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from custody.chains.build import TABLES
from custody.chains.parts import reopen
from custody.engine.duck import Engine, literal, parquet
from custody.model.records import PARTS_COLUMNS

FILES_OF_KEYS = """
    SELECT coalesce(a.target, p.key) AS key, p.filename AS filename, count(*) AS parts
    FROM {rows} p
    LEFT JOIN aliases a ON a.key = p.key
    WHERE p.key IS NOT NULL
    GROUP BY coalesce(a.target, p.key), p.filename
    ORDER BY 1, 2
"""


def write(
    engine: Engine, folder: Path, files: Sequence[Path], facts: Sequence[str], more: Mapping[str, str]
) -> list[str]:
    """Write every kept table, the rules' facts and the key index into ``folder``; gives the file names.

    ``more`` are the tables of a room above, each with the SQL of its rows in order.
    """
    tables = {**TABLES, **more}
    tables.update((name, f"SELECT * FROM {name} ORDER BY key") for name in facts)
    if files:
        tables["key_files"] = FILES_OF_KEYS.format(rows=_with_names(files))
    for name, sql in tables.items():
        engine.copy(sql, folder / f"{name}.parquet")
    return sorted(f"{name}.parquet" for name in tables)


def attach(engine: Engine, folder: Path, facts: Sequence[str], more: Sequence[str] = ()) -> None:
    """Make a view of every stored table that is there."""
    for name in (*TABLES, *more, *facts, "key_files"):
        path = folder / f"{name}.parquet"
        if path.exists():
            engine.run(f'CREATE OR REPLACE VIEW "{name}" AS SELECT * FROM {parquet([path])}')


def attach_parts(engine: Engine, files: Sequence[Path], keys: Sequence[str] | None, enough: int | None = None) -> None:
    """Make the view ``parts`` over the event files, only those that hold ``keys`` where these are given.

    ``enough`` stops at the first files that hold that many parts of the keys: a hot key is in every file.
    """
    reopen(engine, files if keys is None else _holding(engine, files, keys, enough))


def _holding(engine: Engine, files: Sequence[Path], keys: Sequence[str], enough: int | None) -> list[Path]:
    if not files:  # where nothing was understood there is no table of files either
        return []
    marks = ", ".join("?" for _ in keys)
    known = {path.name: path for path in files}
    counts: dict[str, int] = {}
    for name, parts in engine.rows(f"SELECT filename, parts FROM key_files WHERE key IN ({marks})", list(keys)):
        if isinstance(parts, int):
            short = Path(str(name)).name
            counts[short] = counts.get(short, 0) + parts
    chosen: list[Path] = []
    held = 0
    for name in sorted(counts):
        if enough is not None and held >= enough:
            break
        chosen.append(known[name])
        held += counts[name]
    return chosen


COLUMNS = {
    "credentials": "key",
    "links": "from_key",
    "links_by_parent": "to_key",
    "ends": "key",
    "activations": "key",
    "use_origins": "key",
    "aliases": "target",
    "sessions": "key",
    "approvals": "key",
    "brokered": "key",
    "refreshes": "key",
    "told": "key",
}
"""The tables that a chain is made of, and the column by which each belongs to a key."""


def focus(engine: Engine, keys: Sequence[str], facts: Sequence[str], uses: int) -> None:
    """Replace the views by tables of what belongs to ``keys``: one scan each, then every question is quick.

    ``parts`` keeps the first ``uses`` uses of each key by time; it must be attached before.
    """
    chosen = ", ".join(literal(key) for key in keys)  # as literals they let row groups be passed over, a subquery not
    columns = {**COLUMNS, **dict.fromkeys(facts, "key")}
    for name, column in columns.items():
        engine.run(f'CREATE TABLE "_{name}" AS SELECT * FROM "{name}" WHERE {column} IN ({chosen})')
        engine.run(f'DROP VIEW "{name}"')
        engine.run(f'ALTER TABLE "_{name}" RENAME TO "{name}"')
    names = ", ".join(f'"{name}"' for name in ("leaf", *PARTS_COLUMNS) if name != "row")
    engine.run(
        f"CREATE TABLE _parts AS SELECT {names} FROM ("
        "SELECT *, row_number() OVER (PARTITION BY key ORDER BY time, leaf) AS position FROM parts "
        f"WHERE stage = 'use' AND key IN ({chosen})) ranked WHERE position <= {uses}"
    )
    engine.run("DROP VIEW parts")
    engine.run("ALTER TABLE _parts RENAME TO parts")


def _with_names(files: Sequence[Path]) -> str:
    return parquet(files).replace("union_by_name = true", "union_by_name = true, filename = true")
