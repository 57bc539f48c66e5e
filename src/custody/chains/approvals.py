"""Approvals, and the credentials that they reach: by the credential itself, its run, its request or a ticket's name.

A person is the same person in two systems only where a register says so: names are compared within one system.
"""

from custody.chains.brokered import SOURCE as BROKER
from custody.engine.duck import Engine

ASKED = f"""
    CREATE OR REPLACE TABLE asked AS
    SELECT p.key AS target, p.related, coalesce(p.subject, p.principal) AS requester, p.time, p.leaf, p.source,
           p.source = '{BROKER}' AND coalesce(p.population = 'machine', FALSE) AS machine
    FROM parts p
    WHERE p.stage = 'request' AND p.effect = 'approval.request' AND p.key IS NOT NULL AND NOT p.in_conflict
"""

SYSTEM = "concat(regexp_extract({0}, '^([^:_]*)', 1), ':', regexp_extract({0}, '^[^:]*:([^:]*):', 1))"
"""The system that knows somebody by a key: the family of its type (``k8s`` of a user and of a service account) and its
scope."""

SAME = "regexp_extract(a.requester, '^[^:]*:(.*)$', 1) = regexp_extract(p.principal, '^[^:]*:(.*)$', 1)"
"""That one subject of one issuer asked and approved, once by a workload's token and once by a person's."""

DECISIONS = f"""
    CREATE OR REPLACE TABLE decisions AS
    SELECT p.key AS target, p.related, p.principal AS approver, p.effect, p.time, p.not_after AS until, p.object,
           p.leaf, p.source, p.event, {SYSTEM.format("p.principal")} AS system,
           coalesce(max(CASE WHEN a.requester = p.principal OR (a.machine AND {SAME}) THEN p.principal END),
                    min(CASE WHEN NOT a.machine THEN a.requester END), min(a.requester)) AS requester
    FROM parts p
    LEFT JOIN asked a
      ON a.target = p.key AND (p.source = '{BROKER}') = (a.source = '{BROKER}')
     AND ({SYSTEM.format("a.requester")} = {SYSTEM.format("p.principal")}
          OR (a.machine AND p.principal LIKE 'person:%'))
    WHERE p.stage = 'approve' AND p.effect LIKE 'approval.%' AND p.key IS NOT NULL AND p.outcome = 'success'
      AND NOT p.in_conflict
    GROUP BY p.key, p.related, p.principal, p.effect, p.time, p.not_after, p.object, p.leaf, p.source, p.event
"""
"""Each decision, and who asked for it as the approver's own system names them: the approver, if they are among those
who asked. A workload that a broker authenticated is no person, whatever system names the one who approved. What a
broker keeps by its own ids no other log decides, and none of theirs a broker."""

NAMED_TICKETS = """
    CREATE OR REPLACE TABLE named_tickets AS
    SELECT i.key, i.leaf,
           nullif(regexp_extract(concat_ws(' ', i.session_name, i.source_identity, i.tags),
                                 '(^|[^A-Za-z0-9])([A-Z][A-Z0-9]{1,9}-[0-9]{1,9})', 2), '') AS ticket
    FROM issues i
"""

REACHABLE = f"""
    CREATE OR REPLACE TABLE reachable AS
    SELECT key, key AS name, FALSE AS brokered FROM issues
    UNION
    SELECT key, key, FALSE FROM uses
    UNION
    SELECT p.key, p.related, p.source = '{BROKER}' FROM parts p
    WHERE p.stage = 'issue' AND p.related LIKE 'approval:%' AND p.outcome = 'success' AND NOT p.in_conflict
"""
"""Every credential by its own key, and by the request that its issuing record names."""

STARTER = f"CASE WHEN {SYSTEM.format('r.starter')} = d.system THEN r.starter END"
USER = f"CASE WHEN {SYSTEM.format('u.principal')} = d.system THEN u.principal END"

REACHED = f"""
    CREATE OR REPLACE TABLE approvals AS
    SELECT c.key, d.approver, coalesce(d.requester, {STARTER}) AS requester, coalesce({STARTER}, {USER}) AS executor,
           d.effect, d.time, d.until, d.object, d.leaf, d.source, d.target, d.related, 'credential' AS via,
           'exact' AS grade, 'issuer' AS asserter
    FROM decisions d
    JOIN reachable c
      ON (c.name = d.target OR c.name = d.object)
     AND (NOT c.brokered OR d.source = '{BROKER}') AND (d.source <> '{BROKER}' OR c.brokered)
    LEFT JOIN best_runs r ON r.key = c.key
    LEFT JOIN uses u ON u.key = c.key
    UNION ALL
    SELECT k.key, d.approver, coalesce(d.requester, {STARTER}), coalesce({STARTER}, {USER}), d.effect, d.time, d.until,
           d.object, d.leaf, d.source, d.target, d.related, concat('run ', regexp_extract(k.run, '[^:]*$', 0)), k.grade,
           k.asserter
    FROM decisions d
    JOIN runs r ON r.run = d.target OR r.part_of = d.target
    JOIN key_runs k ON k.run = r.run AND k.candidates = 1
    LEFT JOIN uses u ON u.key = k.key
    UNION ALL
    SELECT n.key, d.approver, d.requester, CAST(NULL AS VARCHAR), d.effect, d.time, d.until, d.object, d.leaf, d.source,
           d.target, d.related, concat('ticket ', n.ticket), 'exact', 'client'
    FROM named_tickets n
    JOIN decisions d
      ON (d.target LIKE concat('%:', n.ticket) AND d.target LIKE 'ticket:%')
      OR (d.related LIKE concat('%:', n.ticket) AND d.related LIKE 'ticket:%')
    WHERE n.ticket IS NOT NULL
"""
"""Each decision beside each credential that it reaches: it is about the credential, it decided a request for it, or the
credential's issue names the request (a certificate, its signing request). A ticket's key in a name or tag is the
client's word. The executor is who started the run, else who used the credential, as the approver's own system names
them."""

STEPS = (ASKED, DECISIONS, NAMED_TICKETS, REACHABLE, REACHED)


def build(engine: Engine) -> None:
    """Make ``decisions``, ``asked`` and ``approvals``."""
    for step in STEPS:
        engine.run(step)
