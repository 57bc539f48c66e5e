"""The extract of the register: the rows about the identities of a pack, of every table that the register keeps."""

from __future__ import annotations

from collections.abc import Iterator

from custody.engine.duck import Cell, Engine
from custody.packs import documents
from custody.pipeline.packing.scope import Chosen
from custody.register.build import TABLES

CONDITIONS = {
    "identity": "identity IN (SELECT i.identity FROM pack_identities i)",
    "key": "key IN (SELECT k.key FROM pack_keys k)",
    "principal": "principal IN (SELECT n.name FROM identity_names n)",
    "party": "party IN (SELECT c.value FROM claims c)",
    "document": "leaf IN (SELECT c.leaf FROM claims c)",
    "review": "review IN (SELECT n.review FROM review_names n)",
}
"""What a row must say to be about the pack, by the first of these columns that its table has."""


def restrict(engine: Engine, chosen: Chosen) -> None:
    """Put in place of the register's tables what they say of the chosen identities and keys.

    Parties and documents are those that the claims about them name. What names nobody is about all.
    """
    engine.table("pack_identities", {"identity": "VARCHAR"}, [(each,) for each in chosen.identities])
    engine.table("pack_keys", {"key": "VARCHAR"}, [(each,) for each in chosen.keys])
    named = {name: columns(engine, name) for name in TABLES}
    for column, condition in CONDITIONS.items():
        for name in [each for each, found in named.items() if column in found]:
            _narrowed(engine, name, condition)
            del named[name]


def rows(engine: Engine) -> Iterator[bytes]:
    """A line for each row: its table, then its columns; leaves are cited as everywhere."""
    for name, sql in sorted(TABLES.items()):
        named = columns(engine, name)
        for row in engine.stream(sql):
            cells = {each: _cell(each, cell) for each, cell in zip(named, row, strict=True)}
            yield documents.line({"table": name, **cells})


def leaves(engine: Engine) -> set[int]:
    """Every leaf that the rows cite."""
    found: set[int] = set()
    for name in TABLES:
        for column in filter(_is_leaf, columns(engine, name)):
            for (cell,) in engine.stream(f'SELECT DISTINCT "{column}" FROM "{name}" WHERE "{column}" IS NOT NULL'):
                found |= {each for each in (cell if isinstance(cell, list) else (cell,)) if isinstance(each, int)}
    return found


def columns(engine: Engine, table: str) -> list[str]:
    """The names of a table's columns, none where the table was never made."""
    sql = "SELECT column_name FROM information_schema.columns WHERE table_name = ? ORDER BY ordinal_position"
    return [str(name) for (name,) in engine.rows(sql, [table])]


def _cell(column: str, cell: Cell) -> object:
    if not _is_leaf(column):
        return cell
    return [documents.leaf(each) for each in cell] if isinstance(cell, list) else documents.leaf(cell)


def _is_leaf(column: str) -> bool:
    return column in ("leaf", "leaves") or column.endswith(("_leaf", "_leaves"))


def _narrowed(engine: Engine, name: str, condition: str) -> None:
    engine.run(f'CREATE TABLE "_{name}" AS SELECT * FROM "{name}" WHERE {condition}')
    engine.run(f'DROP VIEW "{name}"')
    engine.run(f'ALTER TABLE "_{name}" RENAME TO "{name}"')
