"""Who a credential works for: machines, people, provider-internal principals, or unknown.

A child inherits the population of its exact parent; the contract can overrule. See docs/sources/aws_cloudtrail.md for
the decisions that this SQL carries out.
"""

from collections.abc import Sequence

import msgspec

from custody.chains.join import CANDIDATE, PARENT, Join, load, views
from custody.engine.duck import Engine
from custody.model.contracts import Versions
from custody.model.keys import names_of

PARENTS = """
    CREATE OR REPLACE TABLE parents AS
    SELECT from_key AS key, min(to_key) AS parent, bool_or(disputed) AS disputed FROM (
        {edges}
    ) edges
    GROUP BY from_key
"""

CANDIDATES = """
    CREATE OR REPLACE TABLE candidate_parents AS
    SELECT from_key AS key, to_key AS parent, candidates, leaf FROM (
        {edges}
    ) edges
"""


PEOPLE = """
    CREATE OR REPLACE TABLE people AS
    SELECT DISTINCT u.principal_id, CAST(NULL AS VARCHAR) AS principal FROM uses u
    WHERE u.principal_id IS NOT NULL AND (
        u.console OR u.key IN (SELECT x.key FROM unissued x WHERE x.class = 'console'))
    UNION
    SELECT DISTINCT p.principal_id, CAST(NULL AS VARCHAR) FROM parts p
    WHERE p.effect = 'console.login' AND p.principal_id IS NOT NULL
    UNION
    SELECT DISTINCT CAST(NULL AS VARCHAR), u.principal FROM uses u
    WHERE u.principal_kind IN ('IAMUser', 'Root') AND u.principal IS NOT NULL AND (
        u.console OR u.key IN (SELECT x.key FROM unissued x WHERE x.class = 'console'))
    UNION
    SELECT DISTINCT CAST(NULL AS VARCHAR), p.key FROM parts p
    WHERE p.effect = 'console.login' AND p.principal_kind IN ('IAMUser', 'Root')
"""

OWN = """
    CREATE OR REPLACE TABLE own_population AS
    SELECT k.key, k.class, k.subject, k.workload, k.account, {version} AS contract_version,
           CASE
               WHEN k.hint IS NOT NULL THEN k.hint
               WHEN k.subject IN (SELECT principal FROM service_roles) THEN 'provider-internal'
               WHEN k.issued AND (k.service_issued OR k.method LIKE '%WithWebIdentity' OR k.granularity = 'pod')
                   THEN 'machine'
               WHEN k.class = 'console'
                    OR k.principal_id IN (SELECT principal_id FROM people WHERE principal_id IS NOT NULL)
                    OR k.subject IN (SELECT principal FROM people WHERE principal IS NOT NULL) THEN 'person'
               ELSE 'unknown'
           END AS population,
           k.hint IS NOT NULL AS settled
    FROM (
        SELECT coalesce(i.key, u.key) AS key, i.key IS NOT NULL AS issued, x.class AS class,
               coalesce(i.subject, u.principal) AS subject, i.workload AS workload,
               coalesce(i.account, u.account) AS account,
               coalesce(i.requester_kind = 'AWSService', FALSE) AS service_issued,
               coalesce(i.method, '') AS method, i.granularity AS granularity, u.principal_id AS principal_id,
               coalesce(i.population_hint, u.population_hint) AS hint, coalesce(i.issued_at, u.first_use) AS moment
        FROM issues i
        FULL OUTER JOIN uses u ON u.key = i.key
        LEFT JOIN unissued x ON x.key = u.key
    ) k
"""
"""Every key with what its own records say of its population, and the version of the contract by which it is judged."""

TREE = """
    CREATE OR REPLACE TABLE tree AS
    WITH RECURSIVE walk AS (
        SELECT n.key AS key, n.key AS root, 0 AS depth, coalesce(n.declared, n.own) AS population,
               n.disputed AS disputed
        FROM nodes n
        WHERE NOT EXISTS (SELECT 1 FROM parents p WHERE p.key = n.key)
        UNION ALL
        SELECT p.key AS key, w.root AS root, w.depth + 1 AS depth,
               coalesce(n.declared,
                        CASE WHEN n.settled OR n.own = 'provider-internal' THEN n.own ELSE w.population END)
                   AS population,
               w.disputed OR n.disputed AS disputed
        FROM walk w
        JOIN parents p ON p.parent = w.key
        JOIN nodes n ON n.key = p.key
    )
    SELECT key, root, depth, population, disputed FROM walk
"""
"""Every key with the top of its delegation tree, and the population that comes down to it. ``disputed`` says that
the issuance of it or of a key above it is (of a key without one: a use). A key in a circle (hostile logs)
is reached from no root: absent."""

NODES = """
    CREATE OR REPLACE TABLE nodes AS
    SELECT o.key, o.population AS own, o.settled, c.population AS declared,
           coalesce(i.disputed, d.key IS NOT NULL) OR coalesce(r.disputed, FALSE) AS disputed
    FROM own_population o
    LEFT JOIN identity_classes c ON c.subject = coalesce(o.subject, '') AND c.workload = coalesce(o.workload, '')
                                AND c.version = o.contract_version
    LEFT JOIN issues i ON i.key = o.key
    LEFT JOIN disputed_uses d ON d.key = o.key
    LEFT JOIN parents r ON r.key = o.key
    UNION ALL
    SELECT DISTINCT p.parent, 'unknown', FALSE, CAST(NULL AS VARCHAR), FALSE
    FROM parents p
    WHERE NOT EXISTS (SELECT 1 FROM own_population o WHERE o.key = p.parent)
"""

POPULATIONS = """
    CREATE OR REPLACE TABLE populations AS
    SELECT o.key, coalesce(t.population, c.population, o.population) AS population, c.name AS identity_class
    FROM own_population o
    LEFT JOIN tree t ON t.key = o.key
    LEFT JOIN identity_classes c ON c.subject = coalesce(o.subject, '') AND c.workload = coalesce(o.workload, '')
                                AND c.version = o.contract_version
"""


IDENTITY_CLASSES = {
    "subject": "VARCHAR",
    "workload": "VARCHAR",
    "version": "BIGINT",
    "name": "VARCHAR",
    "population": "VARCHAR",
}


def own(versions: Versions) -> str:
    """The SQL of ``own_population``: a key is judged by the version in force at its issue, else at its first use."""
    whens = [
        f"WHEN k.moment IS NULL OR k.moment >= {since} THEN {index}" if since is not None else f"WHEN TRUE THEN {index}"
        for since, index in reversed(versions.periods)
    ]
    chosen = " ".join(["CASE", *whens, "ELSE -1 END"]) if whens else "-1"
    return OWN.format(version=f"CAST({chosen} AS BIGINT)")


def parents(joins: Sequence[Join]) -> str:
    """The SQL of ``parents``: every exact edge that some join declares."""
    edges = [f"SELECT from_key, to_key, disputed FROM {join.view}" for join in views(joins, PARENT)]
    return PARENTS.format(edges=" UNION ALL ".join(edges))


def candidates(joins: Sequence[Join]) -> str:
    """The SQL of ``candidate_parents``: every edge that is not exact."""
    edges = [f"SELECT from_key, to_key, candidates, leaf FROM {join.view}" for join in views(joins, CANDIDATE)]
    return CANDIDATES.format(edges=" UNION ALL ".join(edges))


def build(engine: Engine, versions: Versions) -> None:
    """Make ``parents``, ``people``, ``own_population``, ``identity_classes``, ``tree`` and ``populations``."""
    for step in (parents(load()), candidates(load()), PEOPLE, own(versions)):
        engine.run(step)
    _identity_classes(engine, versions)
    for step in (NODES, TREE, POPULATIONS):
        engine.run(step)


def _identity_classes(engine: Engine, versions: Versions) -> None:
    """The class of each pair of subject and workload, for each version by which a key of theirs is judged."""
    rows: list[tuple[str, str, int, str, str | None]] = []
    if any(versions.contract(index).classes for _, index in versions.periods):
        sql = "SELECT DISTINCT coalesce(subject, ''), coalesce(workload, ''), contract_version FROM own_population"
        for subject, workload, version in msgspec.convert(engine.rows(sql), list[tuple[str, str, int]]):
            found = versions.contract(version).class_of(fields_of(subject, workload))
            if found is not None:
                rows.append((subject, workload, version, found.name, found.population))
    engine.table("identity_classes", IDENTITY_CLASSES, rows)


def fields_of(subject: str, workload: str) -> dict[str, tuple[str, ...]]:
    """What a class can match on: each field with every name that it goes by; no field without a name.

    Where a key is bound to nothing, its workload is the subject itself. The account is the scope of the subject's key.
    """
    fields = {"subject": names_of(subject), "workload": names_of(workload or subject)}
    if subject.startswith("aws_arn:"):
        fields["account"] = (subject.split(":", 2)[1],)
    return {name: values for name, values in fields.items() if values}
