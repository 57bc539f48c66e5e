"""The table of grants: who was given what, from when until when, by whom, and who approved it.

``grants``: principal (a key; of rules of a Kubernetes role its name), kind (``managed``, ``inline``, ``group``,
``boundary``, ``trust``, ``profile``, ``role-binding``, ``database``; ``version`` and ``rules`` are the texts behind
managed policies and roles), what (ARN or name of what is granted, None where the kind says it), through (the binding),
since, until (µs; since NULL: before the records, until NULL: as far as seen), since_how (``observed``: a change says
so; ``inventory``: a list has it, and does not say since when; ``earlier``: only its end was seen), effect (of the
change), by_key, by_principal, leaf, end_leaf, document_leaf (whose record holds the text, NULL where another grant
does), source, region, created (µs, of what a list speaks of), approver, approved_at, approval_leaf, approval_grade,
approval_asserter (of the approval that reaches the change, NULL where none was seen).

``principal_starts``: principal, since, leaf, region: the last time that it was seen to be made.
``grant_disputes``: principal, time: changes whose records are in conflict. They count for nothing.
"""

from custody.engine.duck import Engine

SOURCES = "('aws.cloudtrail', 'aws.iam_details', 'kubernetes.audit', 'kubernetes.inventory', 'postgresql')"
ONE = "('boundary', 'trust')"
"""Kinds of which a principal has one: the next takes the place of the last."""
REPLACED = "('boundary', 'trust', 'inline')"
"""Kinds whose text changes when they are given again."""
TEXTS = "('version', 'rules')"

KIND = """
    CASE WHEN p.source = 'kubernetes.audit' AND p.effect LIKE 'grant.%' AND p.key IS NULL AND p.related IS NULL
         THEN 'rules'
         WHEN p.source = 'kubernetes.audit' AND p.effect LIKE 'grant.%' THEN 'role-binding'
         WHEN p.source = 'postgresql' AND p.effect IN ('grant.create', 'grant.delete') THEN 'database'
         WHEN p.source <> 'aws.cloudtrail' THEN NULL
         WHEN p.effect IN ('policy.create', 'policy.version', 'policy.default') THEN 'version'
         WHEN p.effect IN ('policy.attach', 'policy.detach') THEN 'managed'
         WHEN p.effect = 'policy.put' OR (p.effect = 'policy.delete' AND p.key NOT LIKE '%:policy/%') THEN 'inline'
         WHEN p.effect IN ('boundary.put', 'boundary.delete') THEN 'boundary'
         WHEN p.effect IN ('role.create', 'trust.change') THEN 'trust'
         WHEN p.effect IN ('group.add', 'group.remove') THEN 'group'
         WHEN p.effect IN ('profile.add', 'profile.remove') THEN 'profile' END
"""
ENDS = "('policy.detach', 'policy.delete', 'boundary.delete', 'group.remove', 'profile.remove', 'grant.delete')"
MADE = "('role.create', 'user.create', 'group.create', 'policy.create')"
GONE = "('role.delete', 'user.delete', 'group.delete', 'policy.delete', 'principal.delete', 'credential.drop')"

CHANGES = f"""
    CREATE OR REPLACE TABLE grant_changes AS
    SELECT coalesce(c.key, c.what) AS principal, c.kind,
           CASE WHEN c.effect = 'policy.create' THEN 'v1' WHEN c.effect = 'policy.version' OR c.kind = 'trust' THEN NULL
                ELSE c.what END AS what,
           c.related AS through, c.effect NOT IN {ENDS} AS opens, c.time, c.leaf, c.event, c.effect, c.source, c.region,
           c.by_principal, m.by_key
    FROM (
        SELECT p.key, {KIND} AS kind, p.object AS what, p.related, p.time, p.leaf, p.event, p.effect, p.source,
               p.region, p.principal AS by_principal
        FROM parts p
        WHERE p.stage = 'change' AND p.outcome = 'success' AND NOT p.in_conflict AND p.source IN {SOURCES}
    ) c
    LEFT JOIN (SELECT leaf, min(by_key) AS by_key FROM made GROUP BY leaf) m ON m.leaf = c.leaf
    WHERE c.kind IS NOT NULL AND (c.key IS NOT NULL OR (c.kind = 'rules' AND c.what IS NOT NULL))
"""
RESETS = f"""
    CREATE OR REPLACE TABLE grant_resets AS
    SELECT p.key AS principal, p.time, min(p.leaf) AS leaf, bool_or(p.effect IN {MADE}) AS made,
           min(p.region) AS region
    FROM parts p
    WHERE p.key IS NOT NULL AND p.outcome = 'success' AND NOT p.in_conflict
      AND ((p.stage = 'change' AND p.effect IN {MADE} AND p.source = 'aws.cloudtrail')
           OR (p.stage IN ('end', 'change', 'revoke') AND p.effect IN {GONE}
               AND (p.effect <> 'policy.delete' OR p.key LIKE '%:policy/%')))
    GROUP BY p.key, p.time
"""
"""When a principal was made or went: what it had before is no longer its own."""

STARTS = """
    CREATE OR REPLACE TABLE principal_starts AS
    SELECT r.principal, max(r.time) AS since, max(r.leaf) AS leaf, min(r.region) AS region
    FROM grant_resets r
    JOIN (SELECT principal, max(time) AS time FROM grant_resets GROUP BY principal) l
      ON l.principal = r.principal AND l.time = r.time
    WHERE r.made
    GROUP BY r.principal
"""
DISPUTES = f"""
    CREATE OR REPLACE TABLE grant_disputes AS
    SELECT DISTINCT p.key AS principal, p.time
    FROM parts p
    WHERE p.stage IN ('change', 'end') AND p.in_conflict AND p.key IS NOT NULL AND p.source IN {SOURCES}
"""

SCOPE = "coalesce(nullif(regexp_extract({0}, '^[^:]*:([^:]*):', 1), ''), '-')"
UNBOUND = f"""
    CREATE OR REPLACE TABLE unbound AS
    SELECT DISTINCT g.principal, g.kind, g.what, g.through, c.time, c.leaf, c.event, c.effect, c.by_principal, c.by_key
    FROM grant_changes g
    JOIN (
        SELECT p.related AS through, p.time, p.leaf, min(p.event) AS event, min(p.effect) AS effect,
               min(p.principal) AS by_principal, min(m.by_key) AS by_key, count(p.key) AS named
        FROM parts p
        LEFT JOIN (SELECT leaf, min(by_key) AS by_key FROM made GROUP BY leaf) m ON m.leaf = p.leaf
        WHERE p.stage = 'change' AND p.source = 'kubernetes.audit' AND p.effect IN ('grant.delete', 'grant.update')
          AND p.related IS NOT NULL AND p.outcome = 'success' AND NOT p.in_conflict
        GROUP BY p.related, p.time, p.leaf
    ) c ON c.through = g.through AND c.time > g.time
    WHERE g.kind = 'role-binding' AND g.opens AND (c.effect = 'grant.delete' OR c.named > 0)
      AND {SCOPE.format("g.principal")} = {SCOPE.format("c.by_principal")}
      AND NOT EXISTS (SELECT 1 FROM grant_changes o WHERE o.leaf = c.leaf AND o.principal = g.principal AND o.opens)
"""
"""Whom a binding no longer binds: it was deleted (the call names nobody), or its new list leaves them out."""

SLOT = f"concat(CASE WHEN g.kind IN {ONE} THEN '' ELSE coalesce(g.what, '') END, chr(0), coalesce(g.through, ''))"
STEPS_OF = f"""
    CREATE OR REPLACE TABLE grant_steps AS
    SELECT g.principal, g.kind, g.what, g.through, {SLOT} AS slot, g.opens, g.time, g.leaf, g.event, g.effect, g.source,
           g.region, g.by_principal, g.by_key
    FROM grant_changes g WHERE g.kind NOT IN {TEXTS}
    UNION ALL
    SELECT g.principal, g.kind, g.what, g.through, {SLOT}, FALSE, g.time, g.leaf, g.event, g.effect, 'kubernetes.audit',
           NULL, g.by_principal, g.by_key
    FROM unbound g
    UNION ALL
    SELECT DISTINCT g.principal, g.kind, g.what, g.through, {SLOT}, FALSE, r.time, r.leaf, '', 'reset', '', NULL, NULL,
           NULL
    FROM grant_changes g
    JOIN grant_resets r ON r.principal = g.principal AND r.time >= g.time
    WHERE g.kind NOT IN {TEXTS} AND g.opens AND (r.time > g.time OR g.effect <> 'role.create')
"""
"""Everything that begins or ends a grant, one row a grant; a principal that is made or goes ends all that it had."""

INTERVALS = f"""
    CREATE OR REPLACE TABLE grant_intervals AS
    WITH ordered AS (
        SELECT s.*, lag(opens) OVER (PARTITION BY principal, kind, slot ORDER BY time, opens, event, effect) AS was
        FROM grant_steps s
    ), turns AS (
        SELECT o.*, lead(time) OVER (PARTITION BY principal, kind, slot ORDER BY time, opens, event, effect) AS until,
               lead(leaf) OVER (PARTITION BY principal, kind, slot ORDER BY time, opens, event, effect) AS end_leaf
        FROM ordered o
        WHERE was IS NULL OR opens <> was OR (opens AND kind IN {REPLACED})
    )
    SELECT principal, kind, what, through, slot, CASE WHEN opens THEN time END AS since,
           CASE WHEN opens THEN until ELSE time END AS until, CASE WHEN opens THEN 'observed' ELSE 'earlier' END AS how,
           effect, CASE WHEN opens THEN by_key END AS by_key, CASE WHEN opens THEN by_principal END AS by_principal,
           leaf, CASE WHEN opens THEN end_leaf ELSE leaf END AS end_leaf,
           source, region
    FROM turns
    WHERE opens OR (was IS NULL AND effect <> 'reset')
"""
LISTED_KIND = """
    CASE p.effect WHEN 'inventory.inline_grant' THEN 'inline' WHEN 'inventory.boundary' THEN 'boundary'
                  WHEN 'inventory.membership' THEN 'group' WHEN 'inventory.instance_profile' THEN 'profile'
                  WHEN 'inventory.policy' THEN 'version'
                  WHEN 'inventory.role' THEN CASE WHEN p.key IS NULL THEN 'rules' ELSE 'trust' END
                  WHEN 'inventory.grant' THEN CASE WHEN p.related LIKE '%rolebindings/%' THEN 'role-binding'
                                                   ELSE 'managed' END END
"""
LISTED = f"""
    CREATE OR REPLACE TABLE grants_listed AS
    SELECT coalesce(l.key, l.object) AS principal, l.kind,
           CASE WHEN l.kind = 'trust' THEN NULL ELSE l.object END AS what,
           CASE WHEN l.kind = 'role-binding' THEN l.related END AS through, l.leaf, l.source, l.created
    FROM (
        SELECT p.key, {LISTED_KIND} AS kind, p.object, p.related, p.leaf, p.source, p.created
        FROM parts p
        WHERE p.stage = 'inventory' AND NOT p.in_conflict AND p.source IN ('aws.iam_details', 'kubernetes.inventory')
    ) l
    WHERE l.kind IS NOT NULL
"""
"""What lists of a system's state have, one row a list and grant."""

GRANTS = f"""
    CREATE OR REPLACE TABLE grants_unapproved AS
    SELECT principal, kind, what, through, since, until, how AS since_how, effect, by_key, by_principal, leaf, end_leaf,
           CASE WHEN kind IN {REPLACED} AND kind <> 'boundary' THEN leaf END AS document_leaf, source, region,
           CAST(NULL AS BIGINT) AS created
    FROM grant_intervals
    UNION ALL
    SELECT principal, kind, what, NULL, time, CAST(NULL AS BIGINT), 'observed', effect, by_key, by_principal, leaf,
           CAST(NULL AS BIGINT), leaf, source, region, CAST(NULL AS BIGINT)
    FROM grant_changes WHERE kind IN {TEXTS}
    UNION ALL
    SELECT l.principal, l.kind, l.what, l.through, CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), 'inventory', 'inventory',
           NULL, NULL, min(l.leaf), CAST(NULL AS BIGINT),
           CASE WHEN l.kind IN ('managed', 'group', 'boundary', 'profile', 'role-binding') THEN NULL
                ELSE min(l.leaf) END,
           l.source, NULL, min(l.created)
    FROM grants_listed l
    WHERE l.kind IN {TEXTS} OR NOT EXISTS (
        SELECT 1 FROM grant_intervals g
        WHERE g.principal = l.principal AND g.kind = l.kind AND (g.kind IN {ONE} OR g.what = l.what)
          AND coalesce(g.through, '') = coalesce(l.through, ''))
    GROUP BY l.principal, l.kind, l.what, l.through, l.source,
             CASE WHEN l.kind IN ('inline', 'trust', 'version', 'rules') THEN l.leaf END
"""
"""What a change tells counts; a list adds the grants of which no change was seen."""

APPROVED = """
    CREATE OR REPLACE TABLE grants AS
    SELECT g.*, a.approver, a.time AS approved_at, a.leaf AS approval_leaf, a.grade AS approval_grade,
           a.asserter AS approval_asserter
    FROM grants_unapproved g
    LEFT JOIN (
        SELECT x.leaf AS grant_leaf, a.approver, a.time, a.leaf, a.grade, a.asserter,
               row_number() OVER (PARTITION BY x.leaf
                                  ORDER BY CASE WHEN a.grade = 'exact' AND a.asserter = 'issuer' THEN 0 ELSE 1 END,
                                           a.time, coalesce(a.approver, ''), a.leaf) AS place
        FROM (SELECT DISTINCT leaf, by_key, since FROM grants_unapproved WHERE by_key IS NOT NULL) x
        JOIN approvals a ON a.key = x.by_key AND a.effect = 'approval.grant' AND a.time <= x.since
        WHERE (a.until IS NULL OR a.until >= x.since)
          AND NOT EXISTS (SELECT 1 FROM approvals w
                          WHERE w.key = a.key AND w.target = a.target AND w.effect = 'approval.withdraw'
                            AND w.time >= a.time AND w.time <= x.since)
    ) a ON a.grant_leaf = g.leaf AND a.place = 1
"""

STEPS = (CHANGES, RESETS, STARTS, DISPUTES, UNBOUND, STEPS_OF, INTERVALS, LISTED, GRANTS, APPROVED)


def build(engine: Engine) -> None:
    """Make ``grants``, ``principal_starts`` and ``grant_disputes`` from the tables of the chains."""
    for step in STEPS:
        engine.run(step)
