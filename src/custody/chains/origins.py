"""Where machine credentials were used from, and which of these origins the log or the contract explains."""

import ipaddress

import msgspec

from custody.chains.credentials import PROPAGATION
from custody.chains.spellings import canonical
from custody.engine.duck import Engine
from custody.model.contracts import Versions

NETWORK_ORIGINS = "CREATE OR REPLACE TABLE network_origins AS SELECT * FROM join_network_origin"

MACHINE_USES = """
    CREATE OR REPLACE TABLE machine_uses AS
    SELECT p.key, coalesce(s.canonical, p.origin) AS origin, p.time, p.leaf, p.outcome, p.principal, p.in_conflict,
           c.workload, c.subject, c.contract_version,
           coalesce(c.root, c.key) AS root,
           (p.invoked_by IS NOT NULL OR p.origin LIKE '%.amazonaws.com' OR p.origin LIKE '%.amazonaws.com.cn'
            OR p.origin = 'AWS Internal') AS by_service
    FROM parts p
    JOIN credentials c ON c.key = p.key
    LEFT JOIN spellings s ON s.origin = p.origin
    WHERE p.stage = 'use' AND p.effect IS NULL AND c.population = 'machine' AND p.origin IS NOT NULL
"""

EXPLAINED = f"""
    CREATE OR REPLACE TABLE explained_uses AS
    SELECT m.leaf, min(n.how) AS how, bool_or(n.egress) AS egress, max(n.leaf) AS fact_leaf,
           max(n.leaf_run) AS run_leaf, max(n.leaf_address) AS address_leaf
    FROM machine_uses m
    JOIN network_origins n ON n.to_key = m.workload AND n.from_key = m.origin
    WHERE m.time >= n.since AND (n.until IS NULL OR m.time <= n.until + {PROPAGATION})
    GROUP BY m.leaf
"""

ORIGIN_USES = """
    CREATE OR REPLACE TABLE origin_uses AS
    SELECT m.key, m.origin, m.time, m.leaf, m.outcome, m.principal, m.in_conflict, m.workload, m.subject, m.root,
           e.how, e.egress, e.fact_leaf, e.run_leaf, e.address_leaf,
           CASE WHEN m.by_service THEN 'service' WHEN e.leaf IS NOT NULL THEN 'log'
                WHEN d.origin IS NOT NULL THEN 'contract' ELSE 'nothing' END AS explained_by
    FROM machine_uses m
    LEFT JOIN explained_uses e ON e.leaf = m.leaf
    LEFT JOIN declared_origins d ON d.subject = coalesce(m.subject, '') AND d.workload = coalesce(m.workload, '')
                                 AND d.origin = m.origin AND d.version = m.contract_version
"""
"""Every use of a machine's key that has an origin, and what explains it: a service, the log, the contract, nothing."""

KEY_ORIGINS = """
    CREATE OR REPLACE TABLE key_origins AS
    SELECT key, workload, subject, origin, count(*) AS uses, min(time) AS first, max(time) AS last,
           min(leaf) AS leaf, min(principal) AS principal, min(root) AS root,
           count(*) FILTER (WHERE explained_by = 'service') AS by_service,
           count(*) FILTER (WHERE explained_by = 'log') AS by_log,
           count(*) FILTER (WHERE explained_by = 'contract') AS by_contract,
           count(*) FILTER (WHERE explained_by = 'nothing') AS unexplained,
           count(*) FILTER (WHERE explained_by = 'nothing' AND in_conflict AND outcome <> 'denied') AS doubtful,
           max(how) AS how, max(fact_leaf) AS fact_leaf, max(run_leaf) AS run_leaf, max(address_leaf) AS address_leaf
    FROM origin_uses
    GROUP BY key, workload, subject, origin
"""

LEAVING = """
    CREATE OR REPLACE TABLE leaving AS
    SELECT workload, min(leaf) AS leaf FROM origin_uses
    WHERE explained_by = 'log' AND egress AND workload IS NOT NULL AND NOT in_conflict
    GROUP BY workload
"""
"""Workloads that were seen to leave their network by a way that the log knows."""

STRANGE_USES = """
    CREATE OR REPLACE TABLE strange_uses AS
    SELECT key, origin, time, leaf, egress, how, egress_leaf, egress_address_leaf, egress_run_leaf, seen_leaf FROM (
        SELECT u.key, u.origin, u.time, u.leaf, n.from_key AS egress, n.how, n.leaf AS egress_leaf,
               n.leaf_address AS egress_address_leaf, n.leaf_run AS egress_run_leaf, v.leaf AS seen_leaf,
               row_number() OVER (PARTITION BY u.leaf ORDER BY n.how, n.from_key, n.leaf) AS position
        FROM origin_uses u
        LEFT JOIN leaving v ON v.workload = u.workload
        LEFT JOIN network_origins n
          ON n.to_key = u.workload AND n.egress AND u.time >= n.since AND (n.until IS NULL OR u.time <= n.until)
         AND (n.sure OR v.workload IS NOT NULL)
        WHERE u.explained_by = 'nothing' AND u.outcome <> 'denied' AND NOT u.in_conflict
    ) ranked
    WHERE position = 1
"""
"""Calls of sound records that were not refused, from origins that nothing explains, each with the way by which its
workload left at that time as the log tells (``egress``). An elastic address is that way for sure; a network can have
older gateways that no record shows, so the address of a NAT counts where the workload was seen to use it."""

ORIGIN_PRINCIPALS = """
    CREATE OR REPLACE TABLE origin_principals AS
    SELECT origin, principal, sum(uses) AS uses, min(root) AS first_root, max(root) AS last_root,
           min(CASE WHEN position = 1 THEN leaf END) AS first_leaf,
           min(CASE WHEN backwards = 1 THEN leaf END) AS last_leaf
    FROM (
        SELECT origin, principal, root, uses, leaf,
               row_number() OVER (PARTITION BY origin, principal ORDER BY root) AS position,
               row_number() OVER (PARTITION BY origin, principal ORDER BY root DESC) AS backwards
        FROM (
            SELECT coalesce(s.canonical, p.origin) AS origin, p.principal, coalesce(t.root, p.key) AS root,
                   count(*) AS uses, min(p.leaf) AS leaf
            FROM parts p
            LEFT JOIN tree t ON t.key = p.key
            LEFT JOIN spellings s ON s.origin = p.origin
            WHERE p.stage = 'use' AND p.invoked_by IS NULL AND p.principal IS NOT NULL AND p.key IS NOT NULL
              AND p.outcome <> 'denied'
              AND coalesce(s.canonical, p.origin) IN (SELECT u.origin FROM strange_uses u)
              AND NOT p.in_conflict AND NOT coalesce(t.disputed, FALSE)
            GROUP BY coalesce(s.canonical, p.origin), p.principal, coalesce(t.root, p.key)
        ) roots
    ) ranked
    GROUP BY origin, principal
"""
"""Whose keys work at an origin that nothing explains. The tree (``root``) tells a stranger's key from one that the same
chain made: two trees are enough to know that one of them is another."""


def build(engine: Engine, versions: Versions) -> None:
    """Make ``origin_uses`` and what the holder rule reads: ``key_origins``, ``strange_uses``, ``origin_principals``."""
    for step in (NETWORK_ORIGINS, MACHINE_USES, EXPLAINED):
        engine.run(step)
    _declared(engine, versions)
    for step in (ORIGIN_USES, KEY_ORIGINS, LEAVING, STRANGE_USES, ORIGIN_PRINCIPALS):
        engine.run(step)


def _declared(engine: Engine, versions: Versions) -> None:
    """Match each origin seen with the contract's addresses and networks: CIDR is not for SQL."""
    rows: list[tuple[str, str, str, int]] = []
    held = {index: versions.contract(index) for _, index in versions.periods}
    of_class = {(index, one.name): one.origins for index, each in held.items() for one in each.classes}
    if any(each.origins for each in held.values()) or any(of_class.values()):
        found = engine.rows(
            "SELECT DISTINCT coalesce(m.subject, ''), coalesce(m.workload, ''), m.origin, "
            "coalesce(p.identity_class, ''), m.contract_version FROM machine_uses m JOIN populations p ON p.key = m.key"
        )
        for subject, workload, origin, name, version in msgspec.convert(found, list[tuple[str, str, str, str, int]]):
            declared = versions.contract(version).origins_of(subject, workload)
            if any(within(origin, one) for one in (*of_class.get((version, name), ()), *declared)):
                rows.append((subject, workload, origin, version))
    columns = {"subject": "VARCHAR", "workload": "VARCHAR", "origin": "VARCHAR", "version": "BIGINT"}
    engine.table("declared_origins", columns, sorted(set(rows)))


def within(origin: str, allowed: str) -> bool:
    """Whether an address lies in an address or network (CIDR), however they are spelt."""
    one, networks = canonical(origin), canonical(allowed)
    if one == networks:
        return True
    try:
        return ipaddress.ip_address(one) in ipaddress.ip_network(networks)
    except ValueError:
        return False
