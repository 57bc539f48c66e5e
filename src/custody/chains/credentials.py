"""One row a credential: what is known of its issue, its life, its uses, its ends and its place in a lineage."""

from collections.abc import Sequence

from custody.chains.join import END, Join, listed, load, views
from custody.engine.duck import Engine

PROPAGATION = 60_000_000
"""Deleting a role or key takes up to a minute to reach every region (µs): a success within it is no violation."""

SHUTDOWN = 300_000_000
"""An instance shuts down for minutes after TerminateInstances, and its platform may renew its key meanwhile (µs)."""

EXPIRY_TOLERANCE = 1_000_000
"""CloudTrail's times are whole seconds, and expiration may be one off (µs)."""

AT_ONCE = 2_000_000
"""What ends where it is checked ends at once; two logs of one moment may differ by this much (µs)."""

SLOW_EFFECTS = ("key.delete", "key.deactivate", "role.delete", "user.delete", "sessions.revoke", "pod.delete")
"""Ends that take time to be known everywhere: AWS says seconds, an API server caches a token's check."""

STOPPING = 30_000_000
"""What a run that is no instance may still do while it stops (µs)."""

NEEDS_NO_RIGHT = "'GetCallerIdentity', 'GetSessionToken', 'GetAccessKeyInfo'"
"""STS answers these whatever a policy denies: a success says nothing about a policy that revokes sessions."""

ENDS = """
    CREATE OR REPLACE TABLE ends AS
    SELECT e.key, e.time, e.effect, e.leaf, e.event, e.until, s.source
    FROM ({joined}) e
    LEFT JOIN (
        SELECT leaf, min(source) AS source FROM parts WHERE stage IN ('revoke', 'expire', 'end', 'change') GROUP BY leaf
    ) s ON s.leaf = e.leaf
"""


def ends(joins: Sequence[Join]) -> str:
    """The SQL of ``ends``: whatever some join says to end a key, and the source that tells it."""
    each = [f"SELECT to_key AS key, time, effect, leaf, event, until FROM {join.view}" for join in views(joins, END)]
    return ENDS.format(joined=" UNION ALL ".join(each))


DISPUTED_ENDS = """
    CREATE OR REPLACE TABLE disputed_ends AS
    SELECT DISTINCT e.key FROM ends e JOIN conflicted c ON c.leaf = e.leaf
"""

SOUND_ENDS = """
    CREATE OR REPLACE VIEW sound_ends AS
    SELECT e.* FROM ends e
    WHERE NOT EXISTS (SELECT 1 FROM conflicted c WHERE c.leaf = e.leaf)
      AND (e.effect LIKE 'key.%' OR e.effect LIKE 'credential.%'
           OR NOT EXISTS (SELECT 1 FROM issues i WHERE i.key = e.key AND i.disputed))
"""
"""Ends of which no record is in conflict: only these can prove or violate anything. The end of a principal reaches a
key by the principal of its issuance, so that must be sound too."""

FIRST_ENDS = """
    CREATE OR REPLACE TABLE first_ends AS
    SELECT key, time, effect, leaf, event, until, total FROM (
        SELECT e.*, count(*) OVER (PARTITION BY key) AS total,
               row_number() OVER (
                   PARTITION BY key
                   ORDER BY CASE WHEN until IS NULL THEN 0 ELSE 1 END, time, effect, event, leaf) AS position
        FROM sound_ends e
    ) ranked
    WHERE position = 1
"""
"""The end that counts: the first that nothing undid; where all were undone, the first of these."""

USE_SOURCES = """
    CREATE OR REPLACE TABLE use_sources AS
    SELECT DISTINCT p.key, p.source FROM parts p
    WHERE p.stage IN ('use', 'start') AND p.key IN (SELECT e.key FROM sound_ends e)
"""

MARGINS = f"""
    CREATE OR REPLACE TABLE margins AS
    SELECT e.key, e.time, e.effect, e.until, u.source AS use_source,
           CASE WHEN e.source = 'postgresql' AND u.source = 'postgresql' THEN 0
                WHEN e.effect IN {listed(SLOW_EFFECTS)} THEN {PROPAGATION} WHEN e.source = u.source THEN 0
                ELSE {AT_ONCE} END + coalesce(c.skew, 0) AS margin
    FROM sound_ends e
    JOIN use_sources u ON u.key = e.key
    LEFT JOIN skews c ON c.source = e.source AND c.other = u.source
"""
"""From when on a success after an end is late: what it takes to be known, and the skew of the two clocks. Where one log
tells both, nothing is left to doubt."""

AFTER_END = f"""
    CREATE OR REPLACE TABLE after_end AS
    SELECT key, count(*) FILTER (WHERE NOT in_conflict) AS uses,
           count(DISTINCT CASE WHEN in_conflict THEN event END) AS disputed,
           min(CASE WHEN NOT in_conflict THEN time END) AS first, max(CASE WHEN NOT in_conflict THEN time END) AS last,
           array_sort(array_agg(leaf) FILTER (WHERE NOT in_conflict AND position <= 16)) AS leaves
    FROM (
        SELECT p.key, p.time, p.leaf, p.event, p.in_conflict,
               row_number() OVER (PARTITION BY p.key, p.in_conflict ORDER BY p.leaf) AS position
        FROM parts p
        LEFT JOIN issues i ON i.key = p.key AND NOT i.disputed
        LEFT JOIN skews c ON c.source = i.source AND c.other = p.source
        WHERE p.stage = 'use' AND p.outcome = 'success' AND p.invoked_by IS NULL
          AND p.key IN (SELECT s.key FROM suspects s)
          AND (p.time > i.not_after + {EXPIRY_TOLERANCE} + coalesce(c.skew, 0)
               OR EXISTS (SELECT 1 FROM margins e
                          WHERE e.key = p.key AND e.use_source = p.source AND p.time > e.time + e.margin
                            AND (e.until IS NULL OR p.time < e.until)
                            AND NOT (e.effect = 'sessions.revoke'
                                     AND (p.action IN ({NEEDS_NO_RIGHT}) OR p.service = 'signin.amazonaws.com'))))
    ) late
    GROUP BY key
"""
"""Successes after an end or expiry that no conflict touches. Those that only a record in conflict tells are counted
apart (``disputed``)."""

AFTER_RUN = """
    CREATE OR REPLACE TABLE after_run AS
    SELECT key, count(*) AS uses, array_sort(array_agg(leaf) FILTER (WHERE position <= 15)) AS leaves
    FROM (
        SELECT p.key, p.leaf, row_number() OVER (PARTITION BY p.key ORDER BY p.leaf) AS position
        FROM parts p
        JOIN outlived o ON o.key = p.key AND p.time > o.ended + o.grace
        WHERE p.stage = 'use' AND p.outcome = 'success' AND p.invoked_by IS NULL AND NOT p.in_conflict
    ) late
    GROUP BY key
"""

OUTLIVED = f"""
    CREATE OR REPLACE TABLE outlived AS
    SELECT key, ended, grace FROM (
        SELECT b.key, b.ended,
               CASE WHEN b.run LIKE 'aws_instance:%' THEN {SHUTDOWN} ELSE {STOPPING} END + coalesce(c.skew, 0)
                   AS grace,
               i.issued_at, u.last_success
        FROM best_runs b
        JOIN issues i ON i.key = b.key AND NOT i.disputed
        JOIN uses u ON u.key = b.key
        LEFT JOIN skews c ON c.source = i.source AND c.other = u.source
        WHERE b.ended IS NOT NULL
    ) ended
    WHERE issued_at <= ended + grace AND last_success > ended + grace
"""
"""Keys that were issued to a run and had a success after its end: only their uses are looked at one by one."""

SUSPECTS = f"""
    CREATE OR REPLACE TABLE suspects AS
    SELECT u.key FROM uses u
    LEFT JOIN (SELECT key, min(time + margin) AS time FROM margins GROUP BY key) e ON e.key = u.key
    LEFT JOIN issues i ON i.key = u.key
    WHERE u.last_success > e.time OR u.last_success > i.not_after + {EXPIRY_TOLERANCE}
"""
"""Keys whose last success is late: only their uses are looked at one by one."""

LINEAGES = """
    CREATE OR REPLACE TABLE lineages AS
    SELECT key, concat(coalesce(subject, ''), chr(0), run) AS lineage,
           min(issued_at) OVER (PARTITION BY subject, run) AS first_issued,
           first_value(leaf) OVER (PARTITION BY subject, run ORDER BY issued_at, event) AS first_leaf,
           rank() OVER (PARTITION BY subject, run ORDER BY issued_at) AS position,
           count(*) OVER (PARTITION BY subject, run) AS size
    FROM (
        SELECT i.key, i.subject, coalesce(b.run, i.workload) AS run, i.issued_at, i.event, i.leaf
        FROM issues i
        LEFT JOIN brokered b ON b.key = i.key
        WHERE i.workload IS NOT NULL AND i.granularity IN ('instance', 'node', 'pod', 'process', 'run')
          AND NOT i.disputed
    ) bound
"""
"""The successive credentials of one workload run. Bound to an account only, nothing says that two share a run; an
issuance in conflict can not date the others."""

SURVIVING = f"""
    CREATE OR REPLACE TABLE surviving AS
    SELECT s.key, count(DISTINCT s.session) AS sessions, min(s.open_leaf) AS open_leaf, min(s.close_leaf) AS close_leaf,
           max(s.closed) AS closed
    FROM sessions s
    JOIN margins e ON e.key = s.key
    WHERE e.until IS NULL AND s.opened <= e.time AND s.closed > e.time + greatest(e.margin, {AT_ONCE})
    GROUP BY s.key
"""
"""Sessions that were seen to close after their credential had ended: they outlived it."""

CHILDREN = """
    CREATE OR REPLACE TABLE children AS
    SELECT parent AS key, count(*) AS children FROM parents GROUP BY parent
"""

CREDENTIALS = """
    CREATE OR REPLACE TABLE credentials AS
    SELECT concat('c-', substr(sha256(o.key), 1, 16)) AS credential, o.key AS key, p.population AS population,
           p.identity_class AS identity_class, o.contract_version,
           x.class AS unissued_class, x.evidence AS unissued_evidence,
           i.issued_at, i.event AS issue_event, i.leaf AS issue_leaf, i.method, i.invoked_by AS issuing_service,
           i.requester, i.requester_kind, i.requester_origin, r.parent, t.root, t.depth,
           coalesce(i.subject, u.principal) AS subject,
           i.session_name, i.workload, i.granularity, i.bound_by, i.not_after,
           coalesce(i.account, u.account) AS account, i.region AS region, i.tags, i.source_identity,
           coalesce(u.uses, 0) AS uses, coalesce(u.successes, 0) AS successes, coalesce(u.denied, 0) AS denied,
           u.first_use, u.last_use, u.last_success, u.first_leaf AS first_use_leaf, u.session, u.created,
           e.time AS end_time, e.effect AS end_effect, e.leaf AS end_leaf, e.until AS end_until,
           de.key IS NOT NULL AS end_disputed,
           b.run, b.grade AS run_grade, b.asserter AS run_asserter, b.link AS run_link, b.bound_leaf AS run_bound_leaf,
           b.started AS run_started, b.start_leaf AS run_start_leaf, b.start_event AS run_start_event,
           b.ended AS run_ended, b.end_leaf AS run_end_leaf, b.end_event AS run_end_event,
           coalesce(ae.uses, 0) AS late_uses, ae.first AS late_first, ae.last AS late_last, ae.leaves AS late_leaves,
           coalesce(ae.disputed, 0) AS late_disputed,
           coalesce(ar.uses, 0) AS run_late_uses, ar.leaves AS run_late_leaves,
           l.lineage, l.first_issued AS lineage_first, l.first_leaf AS lineage_first_leaf,
           l.position AS lineage_position, l.size AS lineage_size,
           coalesce(ch.children, 0) AS children, ck.key IS NOT NULL AS conflicted,
           coalesce(i.disputed, FALSE) AS issue_disputed, du.key IS NOT NULL AS use_disputed,
           coalesce(t.disputed, FALSE) AS chain_disputed,
           coalesce(sv.sessions, 0) AS surviving_sessions, sv.open_leaf AS surviving_open_leaf,
           sv.close_leaf AS surviving_close_leaf, sv.closed AS surviving_closed,
           i.policy, coalesce(i.source, u.source) AS source, u.source AS use_source,
           i.key IS NOT NULL AS issued
    FROM own_population o
    JOIN populations p ON p.key = o.key
    LEFT JOIN unissued x ON x.key = o.key
    LEFT JOIN issues i ON i.key = o.key
    LEFT JOIN uses u ON u.key = o.key
    LEFT JOIN parents r ON r.key = o.key
    LEFT JOIN tree t ON t.key = o.key
    LEFT JOIN first_ends e ON e.key = o.key
    LEFT JOIN disputed_ends de ON de.key = o.key
    LEFT JOIN best_runs b ON b.key = o.key
    LEFT JOIN surviving sv ON sv.key = o.key
    LEFT JOIN after_end ae ON ae.key = o.key
    LEFT JOIN after_run ar ON ar.key = o.key
    LEFT JOIN disputed_uses du ON du.key = o.key
    LEFT JOIN lineages l ON l.key = o.key
    LEFT JOIN children ch ON ch.key = o.key
    LEFT JOIN conflicted_keys ck ON ck.key = o.key
    WHERE x.class IS NULL OR x.class <> 'forward access session'
"""
"""Forward access sessions are uses of their parents, never credentials of their own: they stand apart."""

STEPS = (
    DISPUTED_ENDS,
    SOUND_ENDS,
    FIRST_ENDS,
    USE_SOURCES,
    MARGINS,
    SUSPECTS,
    AFTER_END,
    OUTLIVED,
    AFTER_RUN,
    LINEAGES,
    SURVIVING,
    CHILDREN,
    CREDENTIALS,
)


def build(engine: Engine) -> None:
    """Make ``credentials`` and what it is made of."""
    engine.run(ends(load()))
    for step in STEPS:
        engine.run(step)
