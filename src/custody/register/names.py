"""Which names lead to which identity: what documents declare, matched with what the records call things.

``declared_names``: name (in canonical form), identity, document, leaf, known_at, superseded_at (µs; NULL in force),
whole (BOOLEAN: a key, which nothing else can go by), of every version of every document.
``declared_as``: name (a key that the records know), identity, exact (BOOLEAN: declared by that very key), contested
(BOOLEAN: in force under two identities), of the documents in force.

Names are exact, never patterns. A name that two identities have stays with the one that had it first; what is reached
by it is contested and proves nothing.
"""

from collections.abc import Iterator, Sequence

from custody.engine.duck import Cell, Engine
from custody.model.keys import names_of
from custody.model.register import SealedDocument
from custody.register.spelling import canonical, is_key
from custody.register.versions import Version, versions

DECLARED = {
    "name": "VARCHAR", "identity": "VARCHAR", "document": "VARCHAR", "leaf": "BIGINT", "known_at": "BIGINT",
    "superseded_at": "BIGINT", "whole": "BOOLEAN",
}  # fmt: skip
CALLED = {"name": "VARCHAR", "text": "VARCHAR"}

KNOWN = """
    SELECT DISTINCT name FROM (
        SELECT c.subject AS name FROM credentials c
        UNION ALL SELECT c.workload FROM credentials c
        UNION ALL SELECT l.name FROM listed_principals l
    ) every_name
    WHERE name IS NOT NULL
"""
"""Every name in the records but the keys of credentials, which go by themselves alone."""

OTHERS = """
    SELECT p.key AS name, p.related AS text FROM parts p
    WHERE p.stage = 'inventory' AND p.effect IN ('inventory.user', 'inventory.role')
      AND p.related IN (SELECT d.name FROM declared_names d)
    UNION
    SELECT a.target, a.key FROM aliases a WHERE a.key IN (SELECT d.name FROM declared_names d)
"""
"""Names that the records themselves call another name of a key: the unique id of a principal, the alias of a key."""

OWNERS = """
    CREATE OR REPLACE TABLE name_owners AS
    SELECT name, first_value(identity) OVER (PARTITION BY name ORDER BY first, identity) AS identity,
           row_number() OVER (PARTITION BY name ORDER BY first, identity) AS position,
           count(*) OVER (PARTITION BY name) > 1 AS contested
    FROM (
        SELECT name, identity, min(leaf) AS first, bool_or(superseded_at IS NULL) AS in_force
        FROM declared_names GROUP BY name, identity
    ) every_owner
    WHERE in_force
"""

DECLARED_AS = """
    CREATE OR REPLACE TABLE declared_as AS
    SELECT name, min(identity) AS identity, bool_or(exact) AND NOT bool_or(contested) AS exact,
           bool_or(contested) OR count(DISTINCT identity) > 1 AS contested
    FROM (
        SELECT c.name, o.identity, c.name = c.text AS exact, o.contested,
               rank() OVER (PARTITION BY c.name ORDER BY CASE WHEN c.name = c.text THEN 0 ELSE 1 END) AS place
        FROM called c
        JOIN name_owners o ON o.name = c.text AND o.position = 1
        UNION ALL
        SELECT c.key, o.identity, TRUE, o.contested, 1
        FROM credentials c
        JOIN name_owners o ON o.name = c.key AND o.position = 1
    ) ways
    WHERE place = 1
    GROUP BY name
"""
"""A whole key goes before the short names of the same thing."""

STEPS = (OWNERS, DECLARED_AS)


def build(engine: Engine, documents: Sequence[SealedDocument]) -> None:
    """Make ``declared_names``, ``name_owners``, ``called`` and ``declared_as``, over ``listed_principals``."""
    rows = [row for version in versions(documents) for row in _declared(version)]
    engine.table("declared_names", DECLARED, rows)
    engine.table("called", CALLED, _called(engine, {str(row[0]) for row in rows}))
    for step in STEPS:
        engine.run(step)


def called(engine: Engine, wanted: set[str], sql: str = KNOWN) -> Iterator[tuple[str, str]]:
    """Each name of the records with each text in ``wanted`` that it goes by."""
    if wanted:
        for (name,) in engine.stream(sql):
            yield from ((str(name), text) for text in names_of(str(name)) if text in wanted)


def _called(engine: Engine, wanted: set[str]) -> list[tuple[Cell, ...]]:
    if not wanted:
        return []
    return [*called(engine, wanted), *((str(name), str(text)) for name, text in engine.rows(OTHERS))]


def _declared(version: Version) -> Iterator[tuple[Cell, ...]]:
    sealed = version.sealed
    for one in sealed.document.identities:
        for name in dict.fromkeys(map(canonical, one.names)):
            yield (
                name, one.identity, sealed.document.name, sealed.leaf, sealed.at, version.superseded_at, is_key(name),
            )  # fmt: skip
