"""Which records the contract's retention no longer asks for: those of chains that are over, and of nothing else.

A chain is over for good where its credential has ended or expired, and its class's retention has passed since the last
that any record tells of it. What rests on it keeps it: a credential whose parent or link leads to it, while that is not
over itself. A chain goes whole or stays whole: with a use but not its issuance it would look like one that nobody
issued. It stays where one of its records says something of what lives on, such as a role or a policy that it changed,
or where a table cites one for anything else. What belongs to no chain stays.

Unsure is kept: no class, a class without retention, an end that nobody recorded, a record in conflict.
"""

from __future__ import annotations

from custody.errors import UsageError
from custody.pipeline.tables import Answers

OVER = """
    CREATE OR REPLACE TABLE erase_over AS
    WITH last AS (
        SELECT key, max(time) AS time FROM (
            SELECT key, time FROM every_part WHERE key IS NOT NULL AND time IS NOT NULL
            UNION ALL
            SELECT parent, time FROM every_part WHERE parent IS NOT NULL AND time IS NOT NULL
        ) seen
        GROUP BY key
    )
    SELECT c.key
    FROM credentials c
    JOIN erase_classes r ON r.name = c.identity_class
    LEFT JOIN last l ON l.key = c.key
    WHERE NOT c.conflicted AND coalesce(c.end_time, c.not_after) < ? - r.retention
      AND greatest(coalesce(l.time, 0), coalesce(c.issued_at, 0), coalesce(c.last_use, 0), coalesce(c.end_until, 0),
                   coalesce(c.surviving_closed, 0)) < ? - r.retention
"""
"""Credentials that are over, by their own records."""

UPWARDS = """
    CREATE OR REPLACE TABLE erase_upwards AS
    SELECT key, parent FROM credentials WHERE parent IS NOT NULL
    UNION
    SELECT from_key, to_key FROM links WHERE to_key IS NOT NULL
"""

LIVING = """
    CREATE OR REPLACE TABLE erase_living AS
    WITH RECURSIVE walk AS (
        SELECT c.key FROM credentials c LEFT JOIN erase_over o ON o.key = c.key WHERE o.key IS NULL
        UNION
        SELECT u.parent FROM walk w JOIN erase_upwards u ON u.key = w.key
    )
    SELECT key FROM walk
"""
"""Credentials that are not over, and everything that these rest on."""

GOING = """
    CREATE OR REPLACE TABLE erase_going AS
    WITH credentials_going AS (
        SELECT o.key FROM erase_over o LEFT JOIN erase_living k ON k.key = o.key WHERE k.key IS NULL
    )
    SELECT key FROM credentials_going
    UNION
    SELECT r.run FROM key_runs r
    JOIN runs n ON n.run = r.run AND n.ended IS NOT NULL
    LEFT JOIN credentials_going g ON g.key = r.key
    GROUP BY r.run
    HAVING bool_and(g.key IS NOT NULL)
"""
"""Credentials whose records may go, and the ended runs that had no other."""

COLUMNS = """
    SELECT table_name, column_name, data_type FROM duckdb_columns()
    WHERE NOT internal AND table_name NOT LIKE 'erase\\_%' ESCAPE '\\'
      AND table_name NOT IN ('parts', 'every_part', 'named_parts', 'void')
    ORDER BY table_name, column_name
"""

SIZE = "SELECT count(*) FROM erase_going"
GONE_KEYS = "SELECT g.key FROM erase_going g"
OWNERS = (("key",), ("from_key", "to_key"), ("run",))
"""Columns that say of which credentials or run a row is, the first that a table has: once all of these are going, the
row cites nothing."""

ROWS = """
    CREATE OR REPLACE TABLE erase_rows AS
    SELECT DISTINCT p.leaf, k.key FROM every_part p JOIN erase_going k ON k.key = p.key
    UNION
    SELECT DISTINCT p.leaf, k.key FROM every_part p JOIN erase_going k ON k.key = p.parent
"""
"""The records of what may go."""

BAD = """
    CREATE OR REPLACE TABLE erase_bad AS
    SELECT p.leaf
    FROM every_part p
    JOIN (SELECT DISTINCT leaf FROM erase_rows) r ON r.leaf = p.leaf
    LEFT JOIN erase_going g ON g.key = p.key
    LEFT JOIN erase_living up ON up.key = p.parent
    LEFT JOIN erase_living thing ON thing.key = p.object
    LEFT JOIN erase_living other ON other.key = p.related
    GROUP BY p.leaf
    HAVING NOT bool_and(g.key IS NOT NULL AND up.key IS NULL AND thing.key IS NULL AND other.key IS NULL)
    UNION
    SELECT c.leaf FROM erase_cited c
"""
"""Records that say something of what stays."""

STUCK = """
    INSERT INTO erase_living
    SELECT DISTINCT found.key FROM (
        SELECT r.key FROM erase_rows r JOIN erase_bad b ON b.leaf = r.leaf
        UNION
        SELECT r.key FROM erase_rows r
        JOIN erase_rows s ON s.leaf = r.leaf
        JOIN erase_living l ON l.key = s.key
        UNION
        SELECT u.parent FROM erase_upwards u JOIN erase_living l ON l.key = u.key
        UNION
        SELECT k.run FROM key_runs k JOIN erase_living l ON l.key = k.key
    ) found
    LEFT JOIN erase_living known ON known.key = found.key
    WHERE known.key IS NULL AND found.key IS NOT NULL
"""
"""A chain goes whole or stays whole: one step of what a record that stays keeps."""

RECORDS = """
    SELECT DISTINCT r.leaf FROM erase_rows r
    LEFT JOIN erase_bad b ON b.leaf = r.leaf
    WHERE r.leaf >= ? AND r.leaf < ? AND b.leaf IS NULL
"""

UNGONE = "DELETE FROM erase_going WHERE key IN (SELECT l.key FROM erase_living l)"
MOST_STEPS = 1000


def prepare(tables: Answers, moment: int) -> None:
    """Make the tables that ``going`` reads, as of ``moment`` (µs). UsageError where no class has a retention.

    The view of parts must be attached over every file.
    """
    engine = tables.engine
    asked = {each.name: each.retention for each in tables.contract.classes if each.retention is not None}
    if not asked:
        raise UsageError(
            "nothing says how long records are kept",
            where="--retention",
            expected="a contract that was sealed, with `retention` for its classes",
            advice="`custody rebuild --contract FILE` puts one in force.",
        )
    engine.table("erase_classes", {"name": "VARCHAR", "retention": "BIGINT"}, list(asked.items()))
    engine.run(OVER, [moment, moment])
    for step in (UPWARDS, LIVING, GOING):
        engine.run(step)
    for _ in range(MOST_STEPS):
        before = engine.number(SIZE)
        _cited(tables)
        engine.run(ROWS)
        engine.run(BAD)
        _spread(tables)
        engine.run(UNGONE)
        if engine.number(SIZE) == before:
            return
    engine.run("DELETE FROM erase_rows")


def going(tables: Answers, first: int, end: int) -> list[int]:
    """The leaves of [first, end) whose records may go."""
    return [int(str(leaf)) for (leaf,) in tables.engine.rows(RECORDS, [first, end])]


def _spread(tables: Answers) -> None:
    engine = tables.engine
    known = -1
    while (size := engine.number("SELECT count(*) FROM erase_living")) != known:
        known = size
        engine.run(STUCK)


def _cited(tables: Answers) -> None:
    """The leaves that tables cite for what stays; of a finding, those that are not about a chain that goes."""
    engine = tables.engine
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in engine.rows(COLUMNS):
        found.setdefault(str(table), {})[str(column)] = str(kind)
    parts = [part for table, columns in found.items() for part in _citing(table, columns)]
    parts = parts or ["SELECT CAST(NULL AS BIGINT) AS leaf"]
    gone = {str(key) for (key,) in engine.rows("SELECT key FROM erase_going")}
    leaves = {leaf for each in tables.report.findings if each.subject not in gone for leaf in each.leaves}
    engine.table("erase_findings", {"leaf": "BIGINT"}, [(leaf,) for leaf in sorted(leaves)])
    every = " UNION ALL ".join([*parts, "SELECT leaf FROM erase_findings"])
    engine.run(f"CREATE OR REPLACE TABLE erase_cited AS SELECT DISTINCT leaf FROM ({every}) x WHERE leaf IS NOT NULL")


def _citing(table: str, columns: dict[str, str]) -> list[str]:
    owners = next((names for names in OWNERS if names[0] in columns), ())
    stays = "TRUE"
    if owners:
        nobodys = " AND ".join(f'"{name}" IS NULL' for name in owners)
        stays = " OR ".join([f"({nobodys})", *(f'"{name}" NOT IN ({GONE_KEYS})' for name in owners)])
    elif "identity" in columns:
        return []
    found = []
    for name, kind in columns.items():
        if kind == "BIGINT" and (name == "leaf" or name.endswith("_leaf")):
            found.append(f'SELECT "{name}" AS leaf FROM "{table}" WHERE {stays}')
        elif kind == "BIGINT[]" and name.endswith("leaves"):
            found.append(f'SELECT unnest("{name}") AS leaf FROM "{table}" WHERE {stays}')
    return found
