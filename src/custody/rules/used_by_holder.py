"""Was the credential used by the workload that it was issued to?

An origin is explained when the log itself gives it to the workload (its own address, an elastic one, the NAT of its
network), when a service made the call, or when the contract declares it. A difference alone proves nothing: a
violation needs an explained origin elsewhere and another principal's key at work where this one was used.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.verdicts import (
    Basis,
    Best,
    Question,
    Severity,
    Verdict,
    indicated,
    not_applicable,
    proved,
    unproven,
    violated,
)
from custody.rules.rule import Rule

FACTS = """
    WITH per_key AS (
        SELECT key, CAST(sum(uses) AS BIGINT) AS seen, CAST(sum(by_service) AS BIGINT) AS by_service, CAST(sum(by_log) AS BIGINT) AS by_log,
               CAST(sum(by_contract) AS BIGINT) AS by_contract, CAST(sum(unexplained) AS BIGINT) AS unexplained,
               max(CASE WHEN by_log > 0 THEN how END) AS how, max(fact_leaf) AS fact_leaf, max(run_leaf) AS run_leaf,
               max(address_leaf) AS address_leaf
        FROM key_origins GROUP BY key
    ), strange AS (
        SELECT key, origin, other, other_leaf FROM (
            SELECT k.key, k.origin, o.principal AS other, o.leaf AS other_leaf,
                   row_number() OVER (PARTITION BY k.key ORDER BY CASE WHEN o.principal IS NULL THEN 1 ELSE 0 END,
                                      o.uses DESC, k.origin, o.principal) AS position
            FROM key_origins k
            LEFT JOIN origin_principals o ON o.origin = k.origin AND o.principal <> k.principal
            WHERE k.unexplained > 0
        ) ranked WHERE position = 1
    ), strange_leaves AS (
        SELECT key, array_agg(leaf ORDER BY leaf) FILTER (WHERE position <= 8) AS leaves, count(*) AS calls FROM (
            SELECT m.key, m.leaf, row_number() OVER (PARTITION BY m.key ORDER BY m.leaf) AS position
            FROM machine_uses m JOIN strange s ON s.key = m.key AND s.origin = m.origin
        ) numbered GROUP BY key
    ), siblings AS (
        SELECT key, sibling, sibling_origin, sibling_by_log, sibling_leaf FROM (
            SELECT a.key, b.key AS sibling, kb.origin AS sibling_origin, kb.by_log + kb.by_contract AS sibling_by_log,
                   kb.leaf AS sibling_leaf,
                   row_number() OVER (PARTITION BY a.key
                                      ORDER BY kb.by_log + kb.by_contract DESC, b.key, kb.origin) AS position
            FROM credentials a
            JOIN strange s ON s.key = a.key
            JOIN credentials b ON b.subject = a.subject AND b.workload = a.workload AND b.key <> a.key
                 AND b.issued_at <= coalesce(a.not_after, b.issued_at)
                 AND a.issued_at <= coalesce(b.not_after, a.issued_at)
            JOIN key_origins kb ON kb.key = b.key AND kb.origin <> s.origin AND kb.by_service < kb.uses
            WHERE a.workload IS NOT NULL AND a.granularity IN ('instance', 'node', 'pod', 'process', 'run')
        ) ranked WHERE position = 1
    )
    SELECT p.key, p.seen, p.by_service, p.by_log, p.by_contract, p.unexplained, p.how, p.fact_leaf, p.run_leaf,
           p.address_leaf, s.origin AS strange_origin, s.other AS strange_other, s.other_leaf AS strange_other_leaf,
           l.leaves AS strange_leaves, l.calls AS strange_calls, b.sibling, b.sibling_origin, b.sibling_by_log,
           b.sibling_leaf, e.address AS egress, e.how AS egress_how, e.leaf AS egress_leaf,
           e.address_leaf AS egress_address_leaf, e.run_leaf AS egress_run_leaf
    FROM per_key p
    LEFT JOIN strange s ON s.key = p.key
    LEFT JOIN strange_leaves l ON l.key = p.key
    LEFT JOIN siblings b ON b.key = p.key
    LEFT JOIN credentials c ON c.key = p.key
    LEFT JOIN workload_egress e ON e.workload = c.workload
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    issue_leaf: int | None
    uses: int
    conflicted: bool
    workload: str | None
    granularity: str | None
    bound_by: str | None
    seen: int | None
    by_service: int | None
    by_log: int | None
    by_contract: int | None
    unexplained: int | None
    how: str | None
    fact_leaf: int | None
    run_leaf: int | None
    address_leaf: int | None
    strange_origin: str | None
    strange_other: str | None
    strange_other_leaf: int | None
    strange_leaves: list[int] | None
    strange_calls: int | None
    sibling: str | None
    sibling_origin: str | None
    sibling_by_log: int | None
    sibling_leaf: int | None
    egress: str | None
    egress_how: str | None
    egress_leaf: int | None
    egress_address_leaf: int | None
    egress_run_leaf: int | None
    identity_class: str | None


def judge(row: Row, contract: Contract) -> Verdict:
    """Explained throughout: proved. Explained elsewhere and strange here: violated. Strange alone: unproven."""
    if not row.uses:
        return not_applicable("no use was seen")
    if row.conflicted:
        return unproven("a record of this key is in conflict")
    if not row.seen:
        return unproven("the uses carry no origin", settles="a source that records origins")
    if row.unexplained:
        return _strange(row, contract)
    return _explained(row)


def _explained(row: Row) -> Verdict:
    if row.by_contract:
        return unproven(
            f"{row.by_contract} calls from origins that only the contract explains",
            Best.CLAIMED,
            settles="a log that gives these addresses to the workload",
        )
    if not row.by_log:
        return unproven(
            "every call was made by a service on its behalf", Best.INDICATED, settles="the service's own log"
        )
    if row.bound_by != "issuer" or row.granularity == "account":
        return unproven("the origins fit, but nothing binds the key to one workload", Best.INDICATED)
    return proved(
        f"every origin is explained by the log: {row.how}",
        Basis.OBSERVED,
        *_facts(row.fact_leaf, row.run_leaf, row.address_leaf),
    )


def _strange(row: Row, contract: Contract) -> Verdict:
    cited = [*(row.strange_leaves or []), *_facts(row.strange_other_leaf)]
    elsewhere = _explained_elsewhere(row, contract)
    if elsewhere is not None and row.strange_other is not None:
        facts = _facts(
            row.egress_leaf, row.egress_address_leaf, row.egress_run_leaf, row.sibling_leaf, row.issue_leaf,
            row.fact_leaf, row.address_leaf, row.run_leaf,
        )  # fmt: skip
        count = len({*cited, *facts}) + (row.strange_calls or 0) - len(row.strange_leaves or [])
        text = (
            f"{row.strange_calls} calls from {row.strange_origin}, where a key of "
            f"{_short(row.strange_other)} works; {elsewhere}"
        )
        return violated(text, Basis.OBSERVED, *cited, *facts, count=count)
    if row.sibling is not None:
        return indicated(
            f"this key was used from {row.strange_origin}, its sibling {_tail(row.sibling)} from {row.sibling_origin}",
            Severity.MEDIUM,
            *cited,
            *_facts(row.sibling_leaf),
            settles="the addresses of the workload: its network's log or the contract's origins",
        )
    return unproven(
        f"nothing says whether {row.strange_origin} is the workload's",
        settles="the addresses of the workload: its network's log or the contract's origins",
    )


def _explained_elsewhere(row: Row, contract: Contract) -> str | None:
    """The sentence that says where the workload really calls from, None where nothing explains it."""
    if row.egress is not None:
        return f"the workload's own address is {row.egress} ({row.egress_how})"
    if row.by_log:
        return f"the workload's own calls are explained by the log ({row.how})"
    declared = _declared(row, contract)
    if declared:
        return f"the contract gives the workload {', '.join(declared[:3])}"
    if row.sibling is not None and row.sibling_by_log:
        return f"its sibling {_tail(row.sibling)} works from {row.sibling_origin}, which is explained"
    return None


def _declared(row: Row, contract: Contract) -> tuple[str, ...]:
    names = (row.workload or "", (row.workload or "").split(":", 2)[-1])
    for name, origins in contract.origins:
        if name in names:
            return origins
    return next((each.origins for each in contract.classes if each.name == row.identity_class), ())


def _facts(*leaves: int | None) -> list[int]:
    return [leaf for leaf in leaves if leaf is not None]


def _short(principal: str) -> str:
    return principal.rpartition("/")[2].rpartition(":")[2]


def _tail(key: str) -> str:
    return "…" + key[-8:]


RULE = Rule(
    id="used-by-holder",
    title="used by someone else",
    question=Question.HOLDER,
    severity=Severity.HIGH,
    why="A machine's key at work where another principal works is the mark of a stolen key.",
    action="Contain the key (custody contain), then look at what it did and what was made with it.",
    fix="origins: the workload's addresses from its network's log or in the contract",
    controls=("NHI2:2025", "NHI9:2025", "ASI03", "AC-2(12)", "DE.CM-03", "CC7.2"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
