"""One row a credential: what is known of its issue, its life, its uses, its ends and its place in a lineage."""

from custody.engine.duck import Engine

PROPAGATION = 60_000_000
"""Deleting a role or key takes up to a minute to reach every region (µs): a success within it is no violation."""

EXPIRY_TOLERANCE = 1_000_000
"""CloudTrail's times are whole seconds, and expiration may be one off (µs)."""

ENDS = """
    CREATE OR REPLACE TABLE ends AS
    SELECT to_key AS key, time, effect, leaf, event, until FROM join_key_end
    UNION ALL
    SELECT to_key, time, effect, leaf, event, until FROM join_principal_end
    UNION ALL
    SELECT to_key, time, effect, leaf, event, until FROM join_session_revocation
"""

FIRST_ENDS = """
    CREATE OR REPLACE TABLE first_ends AS
    SELECT key, time, effect, leaf, event, until, total FROM (
        SELECT e.*, count(*) OVER (PARTITION BY key) AS total,
               row_number() OVER (
                   PARTITION BY key
                   ORDER BY CASE WHEN until IS NULL THEN 0 ELSE 1 END, time, event, leaf) AS position
        FROM ends e
    ) ranked
    WHERE position = 1
"""
"""The end that counts: the first that nothing undid; where all were undone, the first of these."""

RUN_ENDS = """
    CREATE OR REPLACE TABLE run_ends AS
    SELECT e.key AS workload, min(e.time) AS time, min(e.leaf) AS leaf FROM parts e
    WHERE e.stage = 'end' AND e.effect IN ('instance.terminate', 'function.delete') AND e.key IS NOT NULL
    GROUP BY e.key
"""

RUN_STARTS = """
    CREATE OR REPLACE TABLE run_starts AS
    SELECT s.key AS workload, min(s.time) AS time, min(s.leaf) AS leaf FROM parts s
    WHERE s.stage = 'start' AND s.effect IN ('instance.run', 'function.create') AND s.key IS NOT NULL
    GROUP BY s.key
"""

AFTER_END = f"""
    CREATE OR REPLACE TABLE after_end AS
    SELECT key, count(*) AS uses, min(time) AS first, max(time) AS last, array_agg(leaf ORDER BY leaf)
               FILTER (WHERE position <= 16) AS leaves
    FROM (
        SELECT p.key, p.time, p.leaf, row_number() OVER (PARTITION BY p.key ORDER BY p.leaf) AS position
        FROM parts p
        LEFT JOIN first_ends e ON e.key = p.key
        LEFT JOIN issues i ON i.key = p.key
        WHERE p.stage = 'use' AND p.outcome = 'success' AND NOT p.extra
          AND p.key IN (SELECT s.key FROM suspects s)
          AND ((p.time > e.time + {PROPAGATION} AND (e.until IS NULL OR p.time < e.until))
               OR p.time > i.not_after + {EXPIRY_TOLERANCE})
    ) late
    GROUP BY key
"""

SUSPECTS = f"""
    CREATE OR REPLACE TABLE suspects AS
    SELECT u.key FROM uses u
    LEFT JOIN first_ends e ON e.key = u.key
    LEFT JOIN issues i ON i.key = u.key
    WHERE u.last_success > e.time + {PROPAGATION} OR u.last_success > i.not_after + {EXPIRY_TOLERANCE}
"""
"""Keys whose last success is late: only their uses are looked at one by one."""

LINEAGES = """
    CREATE OR REPLACE TABLE lineages AS
    SELECT key, lineage, first_issued, predecessor_leaf, position, size FROM (
        SELECT i.key, concat(coalesce(i.subject, ''), chr(0), i.workload) AS lineage,
               min(i.issued_at) OVER (PARTITION BY i.subject, i.workload) AS first_issued,
               lag(i.leaf) OVER (PARTITION BY i.subject, i.workload ORDER BY i.issued_at, i.event) AS predecessor_leaf,
               rank() OVER (PARTITION BY i.subject, i.workload ORDER BY i.issued_at) AS position,
               count(*) OVER (PARTITION BY i.subject, i.workload) AS size
        FROM issues i
        WHERE i.workload IS NOT NULL AND i.granularity IN ('instance', 'node', 'pod', 'process', 'run')
    ) ordered
"""
"""The successive credentials of one workload run. Bound to an account only, nothing says that two share a run."""

CONFLICTED_KEYS = """
    CREATE OR REPLACE TABLE conflicted_keys AS
    SELECT DISTINCT p.key FROM parts p JOIN conflicted c ON c.leaf = p.leaf WHERE p.key IS NOT NULL
"""

CHILDREN = """
    CREATE OR REPLACE TABLE children AS
    SELECT parent AS key, count(*) AS children FROM parents GROUP BY parent
"""

CREDENTIALS = """
    CREATE OR REPLACE TABLE credentials AS
    SELECT concat('c-', substr(sha256(o.key), 1, 16)) AS credential, o.key AS key, p.population AS population,
           p.identity_class AS identity_class, x.class AS unissued_class, x.evidence AS unissued_evidence,
           i.issued_at, i.event AS issue_event, i.leaf AS issue_leaf, i.method, i.invoked_by AS issuing_service,
           i.requester, i.requester_kind, i.requester_origin, r.parent, t.root, t.depth,
           coalesce(i.subject, u.principal) AS subject,
           i.session_name, i.workload, i.granularity, i.bound_by, i.not_after,
           coalesce(i.account, u.account) AS account, i.region AS region, i.tags, i.source_identity,
           coalesce(u.uses, 0) AS uses, coalesce(u.successes, 0) AS successes, coalesce(u.denied, 0) AS denied,
           u.first_use, u.last_use, u.last_success, u.first_leaf AS first_use_leaf, u.session, u.created,
           e.time AS end_time, e.effect AS end_effect, e.leaf AS end_leaf, e.until AS end_until,
           rs.time AS run_started, rs.leaf AS run_start_leaf, re.time AS run_ended, re.leaf AS run_end_leaf,
           coalesce(ae.uses, 0) AS late_uses, ae.first AS late_first, ae.last AS late_last, ae.leaves AS late_leaves,
           l.lineage, l.first_issued AS lineage_first, l.position AS lineage_position, l.size AS lineage_size,
           coalesce(ch.children, 0) AS children, ck.key IS NOT NULL AS conflicted,
           i.key IS NOT NULL AS issued
    FROM own_population o
    JOIN populations p ON p.key = o.key
    LEFT JOIN unissued x ON x.key = o.key
    LEFT JOIN issues i ON i.key = o.key
    LEFT JOIN uses u ON u.key = o.key
    LEFT JOIN parents r ON r.key = o.key
    LEFT JOIN tree t ON t.key = o.key
    LEFT JOIN first_ends e ON e.key = o.key
    LEFT JOIN run_ends re ON re.workload = i.workload
    LEFT JOIN run_starts rs ON rs.workload = i.workload
    LEFT JOIN after_end ae ON ae.key = o.key
    LEFT JOIN lineages l ON l.key = o.key
    LEFT JOIN children ch ON ch.key = o.key
    LEFT JOIN conflicted_keys ck ON ck.key = o.key
    WHERE x.class IS NULL OR x.class <> 'forward access session'
"""
"""Forward access sessions are uses of their parents, never credentials of their own: they stand apart."""

STEPS = (
    ENDS,
    FIRST_ENDS,
    RUN_ENDS,
    RUN_STARTS,
    SUSPECTS,
    AFTER_END,
    LINEAGES,
    CONFLICTED_KEYS,
    CHILDREN,
    CREDENTIALS,
)


def build(engine: Engine) -> None:
    """Make ``credentials`` and what it is made of."""
    for step in STEPS:
        engine.run(step)
