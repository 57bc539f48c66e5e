"""Where machine credentials were used from, and which of these origins the log or the contract explains."""

import ipaddress

from custody.chains.credentials import PROPAGATION
from custody.engine.duck import Engine
from custody.model.contracts import Contract

MACHINE_USES = """
    CREATE OR REPLACE TABLE machine_uses AS
    SELECT p.key, p.origin, p.time, p.leaf, p.principal, c.workload, c.subject,
           (p.invoked_by IS NOT NULL OR p.origin LIKE '%.amazonaws.com' OR p.origin = 'AWS Internal') AS by_service
    FROM parts p
    JOIN credentials c ON c.key = p.key
    WHERE p.stage = 'use' AND c.population = 'machine'
"""

EXPLAINED = f"""
    CREATE OR REPLACE TABLE explained_uses AS
    SELECT m.leaf, min(n.how) AS how, max(n.leaf) AS fact_leaf, max(n.leaf_run) AS run_leaf,
           max(n.leaf_address) AS address_leaf
    FROM machine_uses m
    JOIN join_network_origin n ON n.to_key = m.workload AND n.from_key = m.origin
    WHERE m.time >= n.since AND (n.until IS NULL OR m.time <= n.until + {PROPAGATION})
    GROUP BY m.leaf
"""

KEY_ORIGINS = """
    CREATE OR REPLACE TABLE key_origins AS
    SELECT m.key, m.workload, m.subject, m.origin, count(*) AS uses, min(m.time) AS first, max(m.time) AS last,
           min(m.leaf) AS leaf, min(m.principal) AS principal,
           count(*) FILTER (WHERE m.by_service) AS by_service,
           count(*) FILTER (WHERE NOT m.by_service AND e.leaf IS NOT NULL) AS by_log,
           count(*) FILTER (WHERE NOT m.by_service AND e.leaf IS NULL AND d.origin IS NOT NULL) AS by_contract,
           count(*) FILTER (WHERE NOT m.by_service AND e.leaf IS NULL AND d.origin IS NULL) AS unexplained,
           max(e.how) AS how, max(e.fact_leaf) AS fact_leaf, max(e.run_leaf) AS run_leaf,
           max(e.address_leaf) AS address_leaf
    FROM machine_uses m
    LEFT JOIN explained_uses e ON e.leaf = m.leaf
    LEFT JOIN declared_origins d ON d.subject = coalesce(m.subject, '') AND d.workload = coalesce(m.workload, '')
                                 AND d.origin = m.origin
    WHERE m.origin IS NOT NULL
    GROUP BY m.key, m.workload, m.subject, m.origin
"""

ORIGIN_PRINCIPALS = """
    CREATE OR REPLACE TABLE origin_principals AS
    SELECT p.origin, p.principal, count(*) AS uses, min(p.time) AS since, min(p.leaf) AS leaf
    FROM parts p
    WHERE p.stage = 'use' AND p.invoked_by IS NULL AND p.principal IS NOT NULL AND p.key IS NOT NULL
      AND p.origin IN (SELECT k.origin FROM key_origins k WHERE k.unexplained > 0)
    GROUP BY p.origin, p.principal
"""

EGRESS = """
    CREATE OR REPLACE TABLE workload_egress AS
    SELECT to_key AS workload, min(from_key) AS address, min(how) AS how, max(leaf) AS leaf,
           max(leaf_address) AS address_leaf, max(leaf_run) AS run_leaf
    FROM join_network_origin
    WHERE egress
    GROUP BY to_key
"""
"""Workloads whose way out to the internet the log knows; a private address alone says nothing about it."""


def build(engine: Engine, contract: Contract) -> None:
    """Make ``key_origins``, ``origin_principals``, ``workload_egress`` and ``declared_origins``."""
    engine.run(MACHINE_USES)
    engine.run(EXPLAINED)
    _declared(engine, contract)
    for step in (KEY_ORIGINS, ORIGIN_PRINCIPALS, EGRESS):
        engine.run(step)


def _declared(engine: Engine, contract: Contract) -> None:
    """Match each origin seen with the contract's addresses and networks: CIDR is not for SQL."""
    rows: list[tuple[str, str, str]] = []
    declared = _Declared(contract)
    if declared.any:
        seen = engine.rows(
            "SELECT DISTINCT coalesce(m.subject, ''), coalesce(m.workload, ''), m.origin, p.identity_class "
            "FROM machine_uses m JOIN populations p ON p.key = m.key WHERE m.origin IS NOT NULL"
        )
        for subject, workload, origin, name in seen:
            if declared.explains(str(subject), str(workload), str(origin), name if isinstance(name, str) else None):
                rows.append((str(subject), str(workload), str(origin)))
    columns = {"subject": "VARCHAR", "workload": "VARCHAR", "origin": "VARCHAR"}
    engine.table("declared_origins", columns, sorted(set(rows)))
    engine.table("declared_workloads", {"workload": "VARCHAR"}, [(name,) for name in declared.names])


class _Declared:
    """The contract's origins, by workload name and by class."""

    def __init__(self, contract: Contract) -> None:
        self._by_name = dict(contract.origins)
        self._by_class = {each.name: each.origins for each in contract.classes if each.origins}
        self.any = bool(self._by_name or self._by_class)
        self.names = sorted(self._by_name)

    def explains(self, subject: str, workload: str, origin: str, name: str | None) -> bool:
        allowed = [*self._by_class.get(name or "", ())]
        for key in (subject, workload):
            allowed += self._by_name.get(key, ())
            allowed += self._by_name.get(key.split(":", 2)[-1], ())
        return any(_within(origin, one) for one in allowed)


def _within(origin: str, allowed: str) -> bool:
    if origin == allowed:
        return True
    try:
        return ipaddress.ip_address(origin) in ipaddress.ip_network(allowed, strict=False)
    except ValueError:
        return False
