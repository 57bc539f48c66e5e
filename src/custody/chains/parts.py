"""The views ``every_part`` and ``parts`` of every committed record, with conflicts, variants and aliases settled.

``parts`` leaves out what neither an issuer nor a verifier says (an asserter of its own): that can be shown beside a
chain, and is never joined into one.

A record whose identity came with other values is in conflict: all values are joined, and nothing may be proved by
them. A copy in another wrapping that only lacks fields of a fuller one is a variant: it adds nothing and is left out.
``extra`` marks the uses of one key beyond the first of one identity, so that counts are of identities. Which of them is
first follows from what they say, never from which was read first. ``in_conflict`` marks the parts of a record in
conflict: what is proved or violated rests on the other parts alone.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from custody.chains import aliases
from custody.engine.duck import Engine, parquet
from custody.model.records import PARTS_COLUMNS
from custody.store.values import lacks_only

COLUMNS = ("leaf", *(name for name in PARTS_COLUMNS if name != "row"), "extra", "in_conflict")
SQL_TYPES = {"string": "VARCHAR", "int64": "BIGINT", "int32": "INTEGER", "bool": "BOOLEAN"}


MOST_VALUES = 64

FEW = 100_000
"""Up to this many parts are held as tables, not read from their files by every query: some 50 MiB."""

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
EXTRA = (
    " LEFT JOIN extra_uses x ON x.leaf = p.leaf AND x.key = p.key AND p.stage = 'use'"
    " LEFT JOIN conflicted cf ON cf.leaf = p.leaf"
)
FLAGS = "x.leaf IS NOT NULL AS extra, cf.leaf IS NOT NULL AS in_conflict"
NO_FLAGS = "FALSE AS extra, FALSE AS in_conflict"
IN_CONFLICT = "FALSE AS extra, cf.leaf IS NOT NULL AS in_conflict"
FEWER = " WHERE NOT EXISTS (SELECT 1 FROM variants v WHERE v.leaf = p.leaf)"


ANY_FAILED = """
    SELECT count(*) FROM every_part
    WHERE effect LIKE '%_failed' OR effect = 'transaction.rollback'
       OR (source = 'postgresql' AND stage = 'use' AND outcome <> 'success')
"""
VOID = """
    CREATE OR REPLACE TABLE void AS
    SELECT p.leaf, p.stage, p.key
    FROM every_part f
    JOIN every_part p ON p.source = f.source AND p.request_id = f.request_id AND p.key = f.key AND p.leaf <> f.leaf
    WHERE f.effect LIKE '%_failed'
      AND (f.effect = concat(p.effect, '_failed') OR f.effect = concat('credential.', p.stage, '_failed'))
    UNION
    SELECT p.leaf, p.stage, p.key
    FROM every_part f
    JOIN every_part p ON p.source = f.source AND p.request_id = f.request_id AND p.leaf <> f.leaf
    WHERE f.effect = 'transaction.rollback' AND p.stage IN ('issue', 'refresh', 'revoke', 'change')
    UNION
    SELECT p.leaf, p.stage, p.key
    FROM every_part f
    JOIN every_part s ON s.key = f.key AND s.effect = 'session.open'
    JOIN every_part p ON p.leaf = s.leaf
    WHERE f.effect = 'session.open_failed'
    UNION
    SELECT p.leaf, p.stage, p.key
    FROM every_part f
    JOIN every_part p
      ON p.source = f.source AND p.request_id = f.request_id AND p.key = f.key AND p.stage = 'use'
     AND p.outcome = 'success'
    WHERE f.source = 'postgresql' AND f.stage = 'use' AND f.outcome <> 'success'
      AND CAST(nullif(regexp_extract(f.event, '/([0-9]{1,17})@', 1), '') AS BIGINT)
          = CAST(nullif(regexp_extract(p.event, '/([0-9]{1,17})@', 1), '') AS BIGINT) + 1
"""
"""Parts that a later record of the same request takes back: some logs write before they act, and the failure after. A
statement of PostgreSQL is taken back by the error on the line after it."""

TAKEN_BACK = "SELECT v.leaf FROM void v WHERE v.leaf = p.leaf AND v.stage = p.stage AND v.key = p.key"


class Variant(msgspec.Struct, frozen=True):
    """A copy that only lacks fields of a fuller one, and the forms (wrappings) of the two."""

    leaf: int
    fuller: str
    thinner: str


class Repeated(msgspec.Struct, frozen=True, kw_only=True):
    """One identity that was sealed with more than one value.

    ``leaves`` are of the values that count, lowest first; more than one of them is a conflict. ``variants`` are
    copies that only lack fields.
    """

    source: str
    id: str
    leaves: tuple[int, ...]
    variants: tuple[Variant, ...] = ()


class Value(msgspec.Struct, frozen=True):
    """One sealed value of a repeated identity: ``kept`` is None where the payload is withheld."""

    leaf: int
    form: str
    kept: bytes | None


def settle(source: str, identity: str, values: Sequence[Value]) -> Repeated:
    """Tell copies in another form that only lack fields (variants) from values that conflict.

    Past MOST_VALUES of one identity all are conflicts: comparing each with each is a way to be kept busy.
    """
    variants: dict[int, Variant] = {}
    if len(values) <= MOST_VALUES:
        for one in values:
            forms = sorted(other.form for other in values if _is_fuller(other, one))
            if forms:
                variants[one.leaf] = Variant(one.leaf, forms[0], one.form)
    leaves = tuple(value.leaf for value in values if value.leaf not in variants)
    return Repeated(source=source, id=identity, leaves=leaves, variants=tuple(variants.values()))


def _is_fuller(other: Value, one: Value) -> bool:
    if other.form == one.form or one.kept is None or other.kept is None:
        return False
    return lacks_only(one.kept, other.kept)


def reopen(engine: Engine, files: Sequence[Path]) -> None:
    """Make the views of parts over some event files again, to look and not to count.

    ``conflicted``, ``variants`` and ``aliases`` are there already. ``extra`` is not known: several uses of one event
    are all shown.
    """
    rows = parquet(files) if files else _nothing()
    fewer = FEWER if engine.number("SELECT count(*) FROM variants") else ""
    renamed = engine.number("SELECT count(*) FROM aliases") > 0
    flags, join = NO_FLAGS, ""
    if engine.number("SELECT count(*) FROM conflicted"):
        flags, join = IN_CONFLICT, " LEFT JOIN (SELECT DISTINCT leaf FROM conflicted) cf ON cf.leaf = p.leaf"
    _views(engine, f"SELECT p.*, {flags} FROM {rows} p{join}{fewer}", renamed=renamed)


def define(engine: Engine, files: Sequence[Path], repeated: Sequence[Repeated]) -> None:
    """Make the views of parts over the event files, and the tables ``conflicted``, ``variants`` and ``aliases``."""
    engine.table(
        "conflicted",
        {"source": "VARCHAR", "event": "VARCHAR", "leaf": "BIGINT"},
        [(r.source, r.id, leaf) for r in repeated if len(r.leaves) > 1 for leaf in r.leaves],
    )
    engine.table(
        "variants",
        {"source": "VARCHAR", "event": "VARCHAR", "leaf": "BIGINT", "fuller": "VARCHAR", "thinner": "VARCHAR"},
        [(r.source, r.id, each.leaf, each.fuller, each.thinner) for r in repeated for each in r.variants],
    )
    rows = parquet(files) if files else _nothing()
    several = any(len(record.leaves) > 1 for record in repeated)
    if several:
        engine.run(f"CREATE OR REPLACE TABLE extra_uses AS {EXTRA_USES.format(rows=rows)}")
    fewer = any(record.variants for record in repeated)
    flags, join = (FLAGS, EXTRA) if several else (NO_FLAGS, "")
    named = f"SELECT p.*, {flags} FROM {rows} p{join}{FEWER if fewer else ''}"
    few = engine.number(f"SELECT count(*) FROM {rows}") <= FEW
    if few:
        engine.run(f"CREATE OR REPLACE TABLE few_parts AS {named}")
        named = "SELECT p.* FROM few_parts p"
    engine.run(f"CREATE OR REPLACE VIEW named_parts AS {named}")
    _views(engine, named, renamed=aliases.build(engine), kind="TABLE" if few else "VIEW")


def _views(engine: Engine, named: str, *, renamed: bool, kind: str = "VIEW") -> None:
    """``every_part`` of ``named``, and ``parts``: those that issuers and verifiers assert, and nothing took back.

    ``kind`` is TABLE where the rows are few: each of some hundred queries would plan and open the files anew.
    """
    sql = aliases.resolved(COLUMNS, f"({named})") if renamed else named
    engine.run(f"CREATE OR REPLACE {kind} every_part AS {sql}")
    kept = ""
    if engine.number(ANY_FAILED):
        engine.run(VOID)
        kept = f" AND NOT EXISTS ({TAKEN_BACK})"
    engine.run(f"CREATE OR REPLACE {kind} parts AS SELECT p.* FROM every_part p WHERE p.asserter IS NULL{kept}")


def _nothing() -> str:
    columns = ", ".join(
        f'CAST(NULL AS {SQL_TYPES[kind]}) AS "{name}"' for name, kind in PARTS_COLUMNS.items() if name != "row"
    )
    return f"(SELECT CAST(NULL AS BIGINT) AS leaf, {columns} WHERE FALSE)"
