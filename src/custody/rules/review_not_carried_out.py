"""Access that a review decided to remove, and that was still issued or used.

Looked at from a week after the decision on, or from the close of the review where that is earlier. Violated takes a
decision that the reviewer who was asked signed, and sound records of issuers or verifiers that name the very principal
that was reviewed. A decision to keep or narrow it in a later review ends this, and so does a principal that was made
anew.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.times import text
from custody.model.verdicts import Basis, Severity, Verdict, indicated, violated
from custody.rules.rule import Rule

FACTS = """
    WITH asked AS (
        SELECT d.review, d.identity, d.decided_at, d.carry_by, d.seen, d.closed_at, d.accepted, d.signed, d.signer,
               d.in_approvals, d.leaf AS opened
        FROM review_decisions d
        WHERE d.choice = 'remove'
          AND NOT EXISTS (SELECT 1 FROM review_decisions o
                          WHERE o.identity = d.identity AND o.choice <> 'remove' AND o.decided_at > d.decided_at)
    ), acts AS (
        SELECT a.review, a.identity, k.exact, 'issued' AS what, i.issued_at AS time, i.leaf, i.key
        FROM asked a
        JOIN review_keys k ON k.review = a.review AND k.identity = a.identity
        JOIN issues i ON i.key = k.key AND i.issued_at > a.carry_by AND i.leaf >= a.seen AND NOT i.disputed
        UNION ALL
        SELECT a.review, a.identity, k.exact, 'used', u.time, u.leaf, u.key
        FROM asked a
        JOIN review_keys k ON k.review = a.review AND k.identity = a.identity
        JOIN parts u
          ON u.key = k.key AND u.stage = 'use' AND u.outcome = 'success' AND u.time > a.carry_by AND u.leaf >= a.seen
         AND u.invoked_by IS NULL AND NOT u.extra AND NOT u.in_conflict
    ), remade AS (
        SELECT a.review, a.identity, min(s.since) AS since
        FROM asked a
        JOIN review_names n ON n.review = a.review AND n.identity = a.identity
        JOIN principal_starts s ON s.principal = n.name AND s.since > a.decided_at
        GROUP BY a.review, a.identity
    ), counted AS (
        SELECT c.*, row_number() OVER (PARTITION BY c.review, c.identity, c.exact ORDER BY c.leaf, c.what) AS position
        FROM acts c
        LEFT JOIN remade r ON r.review = c.review AND r.identity = c.identity
        WHERE r.since IS NULL OR c.time < r.since
    )
    SELECT concat(a.review, ':', a.identity) AS subject, a.identity AS who, CAST(NULL AS VARCHAR) AS key, a.review,
           min(a.decided_at) AS decided_at, bool_or(a.signed) AS signed, min(a.signer) AS signer,
           min(a.in_approvals) AS in_approvals, min(a.closed_at) AS closed_at, bool_or(a.accepted) AS accepted,
           min(a.opened) AS opened, bool_or(c.exact) AS exact,
           count(DISTINCT CASE WHEN c.what = 'issued' THEN c.key END) AS issued,
           count(CASE WHEN c.what = 'used' THEN 1 END) AS used, max(c.time) AS last,
           array_sort(array_agg(c.leaf) FILTER (WHERE c.position <= 8)) AS leaves
    FROM asked a
    JOIN counted c ON c.review = a.review AND c.identity = a.identity
    GROUP BY a.review, a.identity
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one identity that was to be removed, and what it did since."""

    subject: str
    who: str
    key: str | None
    review: str
    decided_at: int
    signed: bool
    signer: str | None
    in_approvals: int
    closed_at: int | None
    accepted: bool
    opened: int
    exact: bool
    issued: int
    used: int
    last: int
    leaves: list[int] | None


def judge(row: Row, contract: Contract) -> Verdict | None:  # noqa: ARG001  # the signature of every rule
    """Violated where the reviewer signed and the records name the principal; else indicated."""
    if not (row.issued or row.used):
        return None
    told = f"{_decided(row)}; {_since(row)}, the last at {text(row.last)}"
    leaves, count = (row.opened, *(row.leaves or ())), row.issued + row.used
    if row.signed and row.exact:
        return violated(told, Basis.OBSERVED, *leaves, count=count)
    return msgspec.structs.replace(indicated(told, Severity.MEDIUM, *leaves), count=count)


def _decided(row: Row) -> str:
    if row.signed:
        who = f"signed by {row.signer}"
    else:
        who = f"signed by {row.signer}, who was not asked" if row.signer else "claimed: nobody signed"
    told = f"review {row.review} decided to remove it at {text(row.decided_at)} (approvals:{row.in_approvals}, {who})"
    if row.closed_at is None:
        return told
    return f"{told} and was closed at {text(row.closed_at)}{', with this left open' if row.accepted else ''}"


def _since(row: Row) -> str:
    told = []
    if row.issued:
        told.append("1 credential was issued since" if row.issued == 1 else f"{row.issued} credentials issued since")
    if row.used:
        told.append("1 call succeeded since" if row.used == 1 else f"{row.used} calls succeeded since")
    return ", ".join(told)


RULE = Rule(
    id="review-not-carried-out",
    title="removed by review, still at work",
    question=None,
    severity=Severity.HIGH,
    why="Somebody looked, decided that this access must go, and it is still there.",
    action="End its credentials and take its grants away, or open a review that decides otherwise.",
    fix="",
    controls=("NHI1:2025", "NHI5:2025", "AC-2(3)", "AC-6(7)", "PR.AA-05", "CC6.2", "ISO27001 A.5.18"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
