"""Exceptions of the contract that have ended while credentials of their class go on."""

import msgspec

from custody.model.contracts import Contract
from custody.model.times import text, until_text
from custody.model.verdicts import Basis, Severity, Verdict, violated
from custody.rules.rule import Rule

FACTS = """
    WITH late AS (
        SELECT x.class, x.until, x.owner, c.key,
               CASE WHEN c.issued_at > x.until AND NOT c.issue_disputed THEN c.issued_at END AS issued_at,
               CASE WHEN c.issued_at > x.until AND NOT c.issue_disputed THEN c.issue_leaf END AS issue_leaf,
               CASE WHEN c.last_success > x.until THEN c.last_success END AS last_success
        FROM contract_exceptions x
        JOIN credentials c ON c.identity_class = x.class
        WHERE c.population IN ('machine', 'unknown') AND (c.issued_at > x.until OR c.last_success > x.until)
    ), used AS (
        SELECT l.key, min(p.leaf) AS leaf, max(p.time) AS last
        FROM late l
        JOIN parts p ON p.key = l.key
        WHERE l.last_success IS NOT NULL AND p.stage = 'use' AND p.outcome = 'success' AND p.time > l.until
          AND NOT p.in_conflict
        GROUP BY l.key
    ), shown AS (
        SELECT l.class, l.until, l.owner, l.key, l.issued_at, u.last AS used_at,
               coalesce(l.issue_leaf, u.leaf) AS leaf,
               row_number() OVER (PARTITION BY l.class ORDER BY coalesce(l.issue_leaf, u.leaf), l.key) AS position
        FROM late l
        LEFT JOIN used u ON u.key = l.key
        WHERE l.issue_leaf IS NOT NULL OR u.leaf IS NOT NULL
    )
    SELECT concat('class:', class) AS subject, concat('class ', class) AS who, CAST(NULL AS VARCHAR) AS key,
           min(until) AS until, min(owner) AS owner, count(*) AS credentials, count(issued_at) AS issued,
           greatest(coalesce(max(issued_at), max(used_at)), coalesce(max(used_at), max(issued_at))) AS last,
           array_sort(array_agg(leaf) FILTER (WHERE position <= 16)) AS leaves
    FROM shown
    GROUP BY class
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one class whose credentials went on after its exception had ended."""

    subject: str
    who: str
    key: str | None
    until: int
    owner: str
    credentials: int
    issued: int
    last: int
    leaves: list[int]


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Violated: records show an issue, or a use that succeeded, after the end that the contract set."""
    count = "1 credential of the class was" if row.credentials == 1 else f"{row.credentials} credentials were"
    issued = (
        "" if not row.issued else f" ({'it was' if row.issued == row.credentials == 1 else row.issued} issued then)"
    )
    told = (
        f"the exception ended on {until_text(row.until)}, {row.owner} answers for it; {count} issued or used after that"
        f"{issued}, the last time at {text(row.last)}"
    )
    return violated(told, Basis.OBSERVED, *row.leaves, count=row.credentials)


RULE = Rule(
    id="exception-expired",
    title="an exception ended, and its credentials go on",
    question=None,
    severity=Severity.HIGH,
    why="An exception that nobody ends is a rule of its own, and nobody watches it any more.",
    action="End its credentials, let the class meet its demands, or have its owner extend the exception with a reason.",
    fix="",
    controls=("NHI7:2025", "AC-2(3)", "GV.PO-02", "ISO27001 A.5.18"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
