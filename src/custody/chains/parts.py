"""The view ``parts``: every part of every committed record, with conflicts and variants settled.

A record whose identity came with other values is in conflict: all values are joined, and nothing may be proved by
them. A copy in another wrapping that only lacks fields of a fuller one is a variant: it adds nothing and is left out.
``extra`` marks the uses of one key beyond the first of one identity, so that counts are of identities. Which of them is
first follows from what they say, never from which was read first.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from custody.engine.duck import Engine, parquet
from custody.model.records import PARTS_COLUMNS

SQL_TYPES = {"string": "VARCHAR", "int64": "BIGINT", "int32": "INTEGER", "bool": "BOOLEAN"}


EXTRA_USES = """
    SELECT leaf, key FROM (
        SELECT p.leaf, p.key,
               row_number() OVER (PARTITION BY p.source, p.event, p.key
                                  ORDER BY p.outcome DESC, p.time, coalesce(p.origin, ''), p.leaf) AS position
        FROM {rows} p
        JOIN conflicted c ON c.leaf = p.leaf
        WHERE p.stage = 'use' AND p.key IS NOT NULL
    ) ranked
    WHERE position > 1
"""
EXTRA = " LEFT JOIN extra_uses x ON x.leaf = p.leaf AND x.key = p.key AND p.stage = 'use'"
FLAG = "x.leaf IS NOT NULL"
FEWER = " WHERE NOT EXISTS (SELECT 1 FROM variants v WHERE v.leaf = p.leaf)"


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
    rows = parquet(files) if files else _nothing()
    several = any(len(record.leaves) > 1 for record in repeated)
    if several:
        engine.run(f"CREATE OR REPLACE TABLE extra_uses AS {EXTRA_USES.format(rows=rows)}")
    fewer = any(record.variants for record in repeated)
    flag, join = (FLAG, EXTRA) if several else ("FALSE", "")
    engine.run(
        f"CREATE OR REPLACE VIEW parts AS SELECT p.*, {flag} AS extra FROM {rows} p{join}{FEWER if fewer else ''}"
    )


def _nothing() -> str:
    columns = ", ".join(
        f'CAST(NULL AS {SQL_TYPES[kind]}) AS "{name}"' for name, kind in PARTS_COLUMNS.items() if name != "row"
    )
    return f"(SELECT CAST(NULL AS BIGINT) AS leaf, {columns} WHERE FALSE)"
