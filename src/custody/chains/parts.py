"""The view ``parts``: every part of every committed record, with conflicts and variants settled.

A record whose identity came with other values is in conflict: all values are joined, and nothing may be proved by
them. A copy in another wrapping that only lacks fields of a fuller one is a variant: it adds nothing and is left out.
``extra`` marks the values beyond the first of one identity, so that counts are of identities.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from custody.engine.duck import Engine, literal, parquet
from custody.model.records import PARTS_COLUMNS

SQL_TYPES = {"string": "VARCHAR", "int64": "BIGINT", "int32": "INTEGER", "bool": "BOOLEAN"}


class Repeated(msgspec.Struct, frozen=True, kw_only=True):
    """One identity that was sealed with more than one value.

    ``leaves`` are of the values that count, lowest first; more than one of them is a conflict. ``variants`` are of
    copies that only lack fields, with the two wrappings (``forms``) that differ.
    """

    source: str
    id: str
    leaves: tuple[int, ...]
    variants: tuple[int, ...] = ()
    forms: tuple[str, ...] = ()


def define(engine: Engine, files: Sequence[Path], repeated: Sequence[Repeated]) -> None:
    """Make the view ``parts`` over the event files, and the tables ``conflicted`` and ``variants``."""
    rows = parquet(files) if files else _nothing()
    variants = [leaf for record in repeated for leaf in record.variants]
    extra = [leaf for record in repeated for leaf in record.leaves[1:]]
    where = f" WHERE leaf NOT IN ({_numbers(variants)})" if variants else ""
    flag = f"leaf IN ({_numbers(extra)})" if extra else "FALSE"
    engine.run(f"CREATE OR REPLACE VIEW parts AS SELECT *, {flag} AS extra FROM {rows}{where}")
    engine.table(
        "conflicted",
        {"source": "VARCHAR", "event": "VARCHAR", "leaf": "BIGINT"},
        [(r.source, r.id, leaf) for r in repeated if len(r.leaves) > 1 for leaf in r.leaves],
    )
    engine.table(
        "variants",
        {"source": "VARCHAR", "event": "VARCHAR", "leaf": "BIGINT", "fuller": "VARCHAR", "thinner": "VARCHAR"},
        [(r.source, r.id, leaf, r.forms[0], r.forms[1]) for r in repeated for leaf in r.variants],
    )


def _numbers(leaves: Sequence[int]) -> str:
    return ", ".join(str(leaf) for leaf in leaves)


def _nothing() -> str:
    columns = ", ".join(
        f'CAST(NULL AS {SQL_TYPES[kind]}) AS "{name}"' for name, kind in PARTS_COLUMNS.items() if name != "row"
    )
    return f"(SELECT CAST(NULL AS BIGINT) AS leaf, {columns} WHERE {literal('no')} = {literal('yes')})"
