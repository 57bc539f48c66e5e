"""Was the credential approved, where the contract asks for it: before its use, by another, by enough people?

An approval proves only what reaches the credential by exact links that issuers assert. One that reaches it through a
session name or a ticket's key is a claim, though what such a claim shows to be wrong is worth acting on.
"""

import msgspec

from custody.model.contracts import Approval, Contract, matches
from custody.model.times import text
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
from custody.rules.settling import Settles

FACTS = """
    WITH facts AS (
        SELECT a.key, a.approver, a.requester, a.effect, a.time, a.until, a.leaf, a.via, a.target, a.related,
               a.grade = 'exact' AND a.asserter = 'issuer' AS strong,
               coalesce(u.first_use, i.issued_at) AS needed,
               nullif(regexp_extract(a.related, '^github_environment:.*/([^/]+)$', 1), '') AS approved_for,
               nullif(regexp_extract(i.workload, ':environment:([^:]+)', 1), '') AS used_for
        FROM approvals a
        LEFT JOIN uses u ON u.key = a.key
        LEFT JOIN issues i ON i.key = a.key
    ), told AS (
        SELECT f.*,
               f.effect = 'approval.grant'
               AND (f.until IS NULL OR f.needed IS NULL OR f.until >= f.needed)
               AND (f.approved_for IS NULL OR f.used_for IS NULL OR f.approved_for = f.used_for)
               AND NOT EXISTS (SELECT 1 FROM approvals w
                               WHERE w.key = f.key AND w.target = f.target AND w.effect = 'approval.withdraw'
                                 AND w.time >= f.time AND (f.needed IS NULL OR w.time <= f.needed)) AS granted,
               f.effect = 'approval.grant' AND f.needed IS NOT NULL AND f.time > f.needed AS late,
               f.effect = 'approval.grant' AND f.requester IS NOT NULL AND f.approver = f.requester AS own
        FROM facts f
    )
    SELECT key,
           count(DISTINCT CASE WHEN granted AND NOT late AND NOT own AND strong THEN approver END) AS good_strong,
           count(DISTINCT CASE WHEN granted AND NOT late AND NOT own THEN approver END) AS good,
           count(DISTINCT CASE WHEN granted AND NOT late AND NOT own AND strong AND requester IS NOT NULL
                               THEN approver END) AS apart,
           count(DISTINCT CASE WHEN late THEN leaf END) AS late,
           bool_and(strong) AS all_strong,
           count(DISTINCT CASE WHEN own THEN leaf END) AS own,
           count(DISTINCT CASE WHEN effect = 'approval.deny' THEN leaf END) AS refused,
           min(CASE WHEN late THEN time END) AS late_time, min(needed) AS needed,
           min(via) AS via, min(CASE WHEN granted THEN approver END) AS approver,
           array_sort(array_agg(DISTINCT CASE WHEN granted AND NOT late AND NOT own AND strong THEN approver END))
               AS approvers,
           array_sort(array_agg(DISTINCT leaf)) AS leaves
    FROM told
    GROUP BY key
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    identity_class: str | None
    issue_leaf: int | None
    run: str | None
    issue_disputed: bool
    good_strong: int | None
    good: int | None
    apart: int | None
    late: int | None
    all_strong: bool | None
    own: int | None
    refused: int | None
    late_time: int | None
    needed: int | None
    via: str | None
    approver: str | None
    approvers: list[str | None] | None
    leaves: list[int] | None


def judge(row: Row, contract: Contract) -> Verdict:
    """Not applicable where no contract asks; else what the approvals that reach the credential show."""
    asked = next((each.approval for each in contract.classes if each.name == row.identity_class), None)
    if asked is None:
        return not_applicable("no contract asks for approval")
    if row.issue_disputed:
        return unproven("the issuing record is in conflict", Best.NOTHING)
    if row.good is None or row.leaves is None:
        return _nothing(asked, row)
    leaves = (*row.leaves, *(() if row.issue_leaf is None else (row.issue_leaf,)))
    separate = not asked.not_ or "requester" not in asked.not_ or (row.apart or 0) >= asked.count
    if (row.good_strong or 0) >= asked.count and separate:
        if _entitled(row, asked) < asked.count:
            who = f"approved before use by {_short(row.approver)}; whether that is {asked.by} is not known"
            return unproven(who, Best.INDICATED, *leaves)
        return proved(f"{row.good_strong} approval(s) before use, by {_short(row.approver)}", Basis.OBSERVED, *leaves)
    if row.good >= asked.count:
        why = "the requester is not known" if not separate else f"through {row.via}, which the client names"
        return unproven(f"approved before use by {_short(row.approver)}, {why}", Best.INDICATED, *leaves)
    return _wrong(row, asked, leaves)


def _entitled(row: Row, asked: Approval) -> int:
    """How many of those who approved are surely among those who may: who is in a group only a register knows."""
    names = [one for one in row.approvers or () if one is not None]
    return sum(any(matches(asked.by, name) for name in (one, one.split(":", 2)[-1])) for one in names)


def _wrong(row: Row, asked: Approval, leaves: tuple[int, ...]) -> Verdict:
    """Approvals that do not suffice: a violation where issuers assert every link, else worth acting on."""
    if row.own:
        what, title = f"approved by the requester, {_short(row.approver)}", "approved by the requester"
    elif row.late:
        what = f"approved at {text(row.late_time)}, after the first use at {text(row.needed)}"
        title = "approved after use"
    elif row.refused:
        what, title = "the approval was refused, and it was used", "used though refused"
    else:
        what, title = f"{row.good} of {asked.count} approvals", "too few approvals"
    if row.all_strong:
        return violated(what, Basis.OBSERVED, *leaves)
    return indicated(f"{what} (through {row.via})", Severity.MEDIUM, *leaves, settles=Settles.RUN_BINDING, title=title)


def _nothing(asked: Approval, row: Row) -> Verdict:
    text_ = f"the contract asks for {asked.count} approval(s) by {asked.by}; none was read that reaches this credential"
    if row.run is None:
        return unproven(text_, settles=Settles.BOUND_APPROVALS)
    return indicated(
        f"{text_} or its run {_short(row.run)}",
        Severity.MEDIUM,
        *(() if row.issue_leaf is None else (row.issue_leaf,)),
        settles=Settles.APPROVALS,
        title="no approval",
    )


def _short(key: str | None) -> str:
    return (key or "nobody known").split(":", 2)[-1]


RULE = Rule(
    id="approved",
    title="approved",
    question=Question.APPROVED,
    severity=Severity.HIGH,
    why="A credential that needed approval and had none was nobody's decision.",
    action="Ask who let it happen; make the approval a condition of the issue, by someone else than the requester.",
    fix="a source of approvals",
    controls=("NHI10:2025", "AC-2", "CC6.2", "A.5.18"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
