"""Issuances and uses, one row a key, and the class of every key that was used without a known issuance."""

from custody.chains import brokered, spellings
from custody.engine.duck import Engine

ISSUES = """
    CREATE OR REPLACE TABLE issues AS
    WITH renewed AS (
        SELECT key, not_after, TRUE AS renewed FROM (
            SELECT r.key, r.not_after, row_number() OVER (PARTITION BY r.key ORDER BY r.time DESC, r.leaf DESC) AS place
            FROM refreshes r
            WHERE r.not_after IS NOT NULL OR r.effect IN ('expiry.remove', 'expiry.change')
        ) last WHERE place = 1
    ), ranked AS (
        SELECT p.*,
               row_number() OVER (
                   PARTITION BY key
                   ORDER BY CASE WHEN in_conflict THEN 1 ELSE 0 END,
                            CASE WHEN workload IS NULL THEN 1 ELSE 0 END,
                            CASE WHEN parent LIKE 'vault_%' THEN 0 WHEN parent IS NULL THEN 2 ELSE 1 END,
                            time, event, coalesce(object, ''), coalesce(not_after, 0), coalesce(workload, ''),
                            coalesce(parent, ''), coalesce(session_name, ''), coalesce(account, ''), leaf) AS position,
               count(*) OVER (PARTITION BY key) AS copies,
               coalesce(max(CASE WHEN parent LIKE 'vault_%' THEN parent END) OVER (PARTITION BY key, in_conflict),
                        max(parent) OVER (PARTITION BY key, in_conflict)) AS any_parent,
               max(subject) OVER (PARTITION BY key, in_conflict) AS any_subject,
               max(not_after) OVER (PARTITION BY key, in_conflict) AS any_not_after,
               max(policy) OVER (PARTITION BY key, in_conflict) AS any_policy,
               max(population) OVER (PARTITION BY key, in_conflict) AS any_population,
               in_conflict
               OR coalesce(min(named_parent) OVER (PARTITION BY key, in_conflict, source)
                           <> max(named_parent) OVER (PARTITION BY key, in_conflict, source), FALSE)
               OR coalesce(min(subject) OVER (PARTITION BY key, in_conflict, source)
                           <> max(subject) OVER (PARTITION BY key, in_conflict, source), FALSE)
               OR coalesce(min(workload) OVER (PARTITION BY key, in_conflict, source)
                           <> max(workload) OVER (PARTITION BY key, in_conflict, source), FALSE)
               OR coalesce(max(not_after) OVER (PARTITION BY key, in_conflict, source)
                           - min(not_after) OVER (PARTITION BY key, in_conflict, source) > 1000000, FALSE)
                   AS disputed
        FROM (
            SELECT i.*, CASE WHEN i.parent NOT LIKE 'vault_%' THEN i.parent END AS named_parent FROM parts i
            WHERE i.stage = 'issue' AND i.key IS NOT NULL AND i.outcome = 'success' AND i.alias IS NULL
        ) p
    )
    SELECT k.key, source, event, leaf, time AS issued_at, service, action, account, region, method, invoked_by,
           principal AS requester, principal_kind AS requester_kind, origin AS requester_origin,
           any_parent AS parent, any_subject AS subject, object AS subject_path, session_name, workload, granularity,
           bound_by, any_not_after AS first_not_after, tags, source_identity, shared_id, any_policy AS policy,
           any_population AS population_hint, copies, disputed,
           CASE WHEN n.renewed THEN n.not_after ELSE k.any_not_after END AS not_after
    FROM ranked k
    LEFT JOIN renewed n ON n.key = k.key
    WHERE position = 1
"""
"""One issuance of each key: of the copies that several accounts or systems wrote the one that says most (what the key
is bound to, then who asked), then the first; one whose record is in conflict only where there is no other. What one
copy does not say (parent, subject, expiry, policy) another may; where Vault asked another system for the key, the token
that asked Vault is the parent. An issuance is ``disputed`` where its record is in
conflict, or sound copies of it in one log contradict each other (the devices of one Vault name a token differently)."""

CONFLICTED_KEYS = """
    CREATE OR REPLACE TABLE conflicted_keys AS
    SELECT p.key FROM parts p WHERE p.in_conflict AND p.key IS NOT NULL
    UNION
    SELECT key FROM issues WHERE disputed
"""
"""Keys of which any record is in conflict, to show. What rests on a record looks at that record's own conflict."""

DISPUTED_USES = """
    CREATE OR REPLACE TABLE disputed_uses AS
    SELECT DISTINCT p.key FROM parts p WHERE p.in_conflict AND p.stage = 'use' AND p.key IS NOT NULL
"""

SOUND_USES = """
    CREATE OR REPLACE TABLE sound_uses AS
    SELECT p.key, min(p.principal) AS principal, min(coalesce(p.created, p.time)) AS since
    FROM parts p
    WHERE p.stage = 'use' AND NOT p.in_conflict AND p.key IN (SELECT d.key FROM disputed_uses d)
    GROUP BY p.key
"""
"""Of keys with a disputed use: whom the other uses show them to speak for, and since when."""

USES = """
    CREATE OR REPLACE TABLE uses AS
    SELECT key,
           count(*) FILTER (WHERE NOT extra) AS uses,
           count(*) FILTER (WHERE NOT extra AND outcome = 'success') AS successes,
           count(*) FILTER (WHERE NOT extra AND outcome = 'denied') AS denied,
           min(time) AS first_use, max(time) AS last_use,
           max(CASE WHEN outcome = 'success' THEN time END) AS last_success,
           min(leaf) AS first_leaf,
           min(principal) AS principal, min(principal_id) AS principal_id, min(principal_kind) AS principal_kind,
           min(session) AS session, min(created) AS created, min(account) AS account,
           bool_and(invoked_by IS NOT NULL) AS forwarded, bool_or(console) AS console,
           min(invoked_by) AS invoked_by, min(population) AS population_hint, min(source) AS source
    FROM parts
    WHERE stage = 'use' AND key IS NOT NULL AND coalesce(effect, '') <> 'stream.open'
    GROUP BY key
"""
"""Uses of each key. A stream that opens is told once more when it ends; a token that was shown for review is used."""

USE_ORIGINS = """
    CREATE OR REPLACE TABLE use_origins AS
    SELECT p.key, coalesce(s.canonical, p.origin) AS origin, count(*) FILTER (WHERE NOT p.extra) AS uses,
           min(p.time) AS first, max(p.time) AS last, min(p.leaf) AS leaf
    FROM parts p
    LEFT JOIN spellings s ON s.origin = p.origin
    WHERE p.stage = 'use' AND p.key IS NOT NULL AND p.origin IS NOT NULL AND p.effect IS NULL
    GROUP BY p.key, coalesce(s.canonical, p.origin)
"""

MADE = """
    CREATE OR REPLACE TABLE made AS
    SELECT u.key AS by_key, c.effect, coalesce(c.object, c.key) AS what, c.key AS principal, c.time, c.leaf, c.event
    FROM parts c
    JOIN parts u ON u.leaf = c.leaf AND u.stage = 'use'
    WHERE c.stage = 'change' AND c.outcome = 'success' AND coalesce(c.effect, '') <> 'secret.exposed'
    UNION ALL
    SELECT u.key, 'key.create', c.key, c.subject, c.time, c.leaf, c.event
    FROM parts c
    JOIN parts u ON u.leaf = c.leaf AND u.stage = 'use'
    WHERE c.stage = 'issue' AND c.outcome = 'success' AND c.parent IS NULL AND c.key <> u.key
"""
"""What was made or changed with a key: grants, trust, users, and long-lived keys (which are no children of it)."""

ACTIVATIONS = """
    CREATE OR REPLACE TABLE activations AS
    SELECT key, time, event, leaf, effect FROM parts
    WHERE effect = 'key.activate' AND key IS NOT NULL
"""
"""Keys that were made active again: a step of theirs, which undoes an end."""

LOG_STARTS = """
    CREATE OR REPLACE TABLE log_starts AS
    SELECT account, min(time) AS started FROM parts WHERE account IS NOT NULL AND stage <> 'inventory' GROUP BY account
"""
"""A list of what there is speaks of times long before the log of its account: it is no log."""

CONSOLE_LOGINS = """
    CREATE OR REPLACE TABLE console_times AS
    SELECT DISTINCT principal_id, created AS time FROM uses
    WHERE console AND created IS NOT NULL AND principal_id IS NOT NULL
    UNION
    SELECT DISTINCT principal_id, time FROM parts
    WHERE effect = 'console.login' AND outcome = 'success' AND principal_id IS NOT NULL
"""

SERVICE_ROLES = """
    CREATE OR REPLACE TABLE service_roles AS
    SELECT DISTINCT subject AS principal FROM issues WHERE subject_path LIKE '%:role/aws-service-role/%'
    UNION
    SELECT DISTINCT key FROM parts
    WHERE stage = 'change' AND effect = 'role.create' AND object LIKE '%:role/aws-service-role/%' AND key IS NOT NULL
"""
"""Roles that AWS services keep for themselves. A use names its role without the path, so it is learnt from the records
that give it: names are unique in an account whatever the path."""

CLASSES = """
    CREATE OR REPLACE TABLE unissued AS
    SELECT u.key,
           CASE
               WHEN u.forwarded THEN 'forward access session'
               WHEN u.console OR c.time IS NOT NULL THEN 'console'
               WHEN r.principal IS NOT NULL THEN 'provider-internal'
               WHEN u.key NOT LIKE 'aws_akid:%' THEN 'issuance not seen'
               WHEN u.created IS NULL OR u.created < s.started THEN 'older than the logs'
               ELSE 'unexplained'
           END AS class,
           CASE
               WHEN u.forwarded THEN concat('every use has invokedBy: ', u.invoked_by)
               WHEN u.console THEN 'sessionCredentialFromConsole'
               WHEN c.time IS NOT NULL THEN 'principal and creation date of a console key or login'
               WHEN r.principal IS NOT NULL THEN 'a role under aws-service-role/'
               WHEN u.key NOT LIKE 'aws_akid:%' THEN 'no record that was read issues it'
               WHEN u.created IS NULL THEN 'long-lived: the log gives no creation date'
               WHEN u.created < s.started THEN 'created before the log of its account starts'
               ELSE 'created while the log runs, and no record issues it'
           END AS evidence
    FROM uses u
    LEFT JOIN console_times c ON c.principal_id = u.principal_id AND c.time = u.created
    LEFT JOIN log_starts s ON s.account = u.account
    LEFT JOIN service_roles r ON r.principal = u.principal
    WHERE NOT EXISTS (SELECT 1 FROM issues i WHERE i.key = u.key)
"""

FORWARD_USES = """
    CREATE OR REPLACE TABLE forward_uses AS
    SELECT p.key, p.principal_id, CAST(floor(p.time / 1000000) AS BIGINT) AS second, min(p.leaf) AS leaf
    FROM parts p
    JOIN unissued x ON x.key = p.key AND x.class = 'forward access session'
    WHERE p.stage = 'use' AND p.principal_id IS NOT NULL
    GROUP BY p.key, p.principal_id, CAST(floor(p.time / 1000000) AS BIGINT)
"""

FORWARD_SECONDS = """
    CREATE OR REPLACE TABLE forward_seconds AS
    SELECT f.key, f.principal_id, f.second + s.step AS second, f.leaf
    FROM forward_uses f
    CROSS JOIN (SELECT -1 AS step UNION ALL SELECT 0 UNION ALL SELECT 1) s
"""
"""Every second within one of a forwarded use: the join to the keys at work is then by equality, not by range."""

SECONDS_AT_WORK = """
    CREATE OR REPLACE TABLE seconds_at_work AS
    SELECT DISTINCT p.key, p.principal_id, CAST(floor(p.time / 1000000) AS BIGINT) AS second
    FROM parts p
    WHERE p.stage = 'use' AND p.invoked_by IS NULL
      AND p.principal_id IN (SELECT principal_id FROM forward_uses)
      AND NOT EXISTS (SELECT 1 FROM unissued x WHERE x.key = p.key AND x.class = 'forward access session')
"""

KEY_PRINCIPALS = """
    CREATE OR REPLACE TABLE key_principals AS
    SELECT key, subject AS principal, issued_at AS since FROM issues WHERE subject IS NOT NULL
    UNION ALL
    SELECT u.key, coalesce(s.principal, u.principal), coalesce(s.since, u.created, u.first_use) AS since FROM uses u
    JOIN unissued x ON x.key = u.key
    LEFT JOIN sound_uses s ON s.key = u.key
    WHERE x.class <> 'forward access session' AND u.principal IS NOT NULL
"""
"""Whom each key speaks for, and since when at the latest: a key without an issuance existed at its first use."""

REFRESHES = """
    CREATE OR REPLACE TABLE refreshes AS
    SELECT key, time, leaf, event, not_after, source, effect FROM parts
    WHERE stage = 'refresh' AND key IS NOT NULL AND outcome = 'success' AND NOT in_conflict
"""
"""Renewals: the last one says when the credential expires."""

FIRST = (REFRESHES, ISSUES)
STEPS = (
    *FIRST,
    CONFLICTED_KEYS,
    DISPUTED_USES,
    SOUND_USES,
    USES,
    MADE,
    ACTIVATIONS,
    LOG_STARTS,
    CONSOLE_LOGINS,
    SERVICE_ROLES,
    CLASSES,
    FORWARD_USES,
    FORWARD_SECONDS,
    SECONDS_AT_WORK,
    KEY_PRINCIPALS,
)


def build(engine: Engine) -> None:
    """Make the tables that the joins rest on."""
    spellings.build(engine, USE_ORIGINS)
    for step in FIRST:
        engine.run(step)
    brokered.build(engine)
    for step in STEPS[len(FIRST) :]:
        engine.run(step)
