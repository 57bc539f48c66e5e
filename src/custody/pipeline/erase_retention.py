"""Which records the contract's retention no longer asks for: those of chains that are over, and of nothing else.

A chain is over for good where its credential has ended or expired, and its class's retention has passed since the last
that any record tells of it. What rests on it keeps it: a credential whose parent or link leads to it, while that is not
over itself. A record goes where every part of it is of such chains and no table cites it for anything else: what says
something of a role, a policy, an address or an identity that lives on stays, and so does what belongs to no chain.

Unsure is kept: no class, a class without retention, an end that nobody recorded, a record in conflict.
"""

from __future__ import annotations

from pathlib import Path

from custody.engine.duck import parquet
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

LIVING = """
    CREATE OR REPLACE TABLE erase_living AS
    WITH RECURSIVE upwards AS (
        SELECT key, parent FROM credentials WHERE parent IS NOT NULL
        UNION
        SELECT from_key, to_key FROM links WHERE to_key IS NOT NULL
    ), walk AS (
        SELECT c.key FROM credentials c LEFT JOIN erase_over o ON o.key = c.key WHERE o.key IS NULL
        UNION
        SELECT u.parent FROM walk w JOIN upwards u ON u.key = w.key
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

IDENTITIES = """
    CREATE OR REPLACE TABLE erase_identities AS
    SELECT i.identity FROM key_identities i
    LEFT JOIN erase_going g ON g.key = i.key
    GROUP BY i.identity
    HAVING bool_and(g.key IS NOT NULL)
"""
"""Identities of which no credential stays."""

COLUMNS = """
    SELECT table_name, column_name, data_type FROM duckdb_columns()
    WHERE NOT internal AND table_name NOT LIKE 'erase\\_%' ESCAPE '\\'
      AND table_name NOT IN ('parts', 'every_part', 'named_parts', 'void')
    ORDER BY table_name, column_name
"""

GONE_KEYS = "SELECT g.key FROM erase_going g"
OWNERS = ("key", "from_key", "to_key", "run")
"""Columns that say of which credential or run a row is: it cites nothing once all of them are going."""

RECORDS = """
    SELECT p.leaf
    FROM {rows} p
    LEFT JOIN aliases a ON a.key = p.key
    LEFT JOIN aliases b ON b.key = p.parent
    LEFT JOIN erase_going g ON g.key = coalesce(a.target, p.key)
    LEFT JOIN erase_living up ON up.key = coalesce(b.target, p.parent)
    LEFT JOIN erase_living thing ON thing.key = p.object
    LEFT JOIN erase_living other ON other.key = p.related
    LEFT JOIN erase_cited c ON c.leaf = p.leaf
    GROUP BY p.leaf
    HAVING bool_and(g.key IS NOT NULL AND up.key IS NULL AND thing.key IS NULL AND other.key IS NULL AND c.leaf IS NULL)
"""


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
    for step in (LIVING, GOING, IDENTITIES):
        engine.run(step)
    _cited(tables)


def going(tables: Answers, events: Path) -> list[int]:
    """The leaves of an events file whose records may go."""
    return [int(str(leaf)) for (leaf,) in tables.engine.rows(RECORDS.format(rows=parquet([events])))]


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
    owners = [name for name in OWNERS if columns.get(name) == "VARCHAR"]
    stays = "TRUE"
    if owners:
        nobodys = " AND ".join(f'"{name}" IS NULL' for name in owners)
        stays = " OR ".join([f"({nobodys})", *(f'"{name}" NOT IN ({GONE_KEYS})' for name in owners)])
    elif columns.get("identity") == "VARCHAR":
        stays = "identity IS NULL OR identity NOT IN (SELECT e.identity FROM erase_identities e)"
    found = []
    for name, kind in columns.items():
        if kind == "BIGINT" and (name == "leaf" or name.endswith("_leaf")):
            found.append(f'SELECT "{name}" AS leaf FROM "{table}" WHERE {stays}')
        elif kind == "BIGINT[]" and name.endswith("leaves"):
            found.append(f'SELECT unnest("{name}") AS leaf FROM "{table}" WHERE {stays}')
    return found
