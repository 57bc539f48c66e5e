"""Was the lineage renewed while its run lived and its class allowed?

A broker decides each renewal anew, and takes the reason for it: what it issued after another is renewed with reason,
or was asked for by itself.
"""

import msgspec

from custody.chains.credentials import SHUTDOWN
from custody.model.contracts import Contract
from custody.model.events import Asserter
from custody.model.verdicts import (
    Basis,
    Best,
    Question,
    Severity,
    Verdict,
    not_applicable,
    proved,
    unproven,
    violated,
)
from custody.rules.rule import Rule
from custody.rules.settling import Settles

GRACE = SHUTDOWN


FACTS = "SELECT b.key AS key, b.link AS broker_link, b.reason AS broker_reason, b.sound AS brokered FROM brokered b"


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    issue_leaf: int | None
    issued_at: int | None
    lineage: str | None
    lineage_position: int | None
    lineage_first: int | None
    lineage_first_leaf: int | None
    run_ended: int | None
    run_end_leaf: int | None
    identity_class: str | None
    issue_disputed: bool
    run_grade: str | None
    run_asserter: str | None
    broker_link: str | None
    broker_reason: str | None
    brokered: bool | None


def judge(row: Row, contract: Contract) -> Verdict:
    """Violated by an issue after the end of the run, or past the class limit; platform renewal is normal."""
    if row.issue_disputed:
        return unproven("the issuing record is in conflict")
    if row.issue_leaf is None or row.issued_at is None or row.lineage is None:
        return not_applicable("not part of a lineage that the log can show")
    bound = row.run_grade == "exact" and row.run_asserter == Asserter.ISSUER
    ended = row.run_ended if bound else None
    if ended is not None and row.run_end_leaf is not None and row.issued_at > ended + GRACE:
        return violated("issued after its run had ended", Basis.OBSERVED, row.issue_leaf, row.run_end_leaf)
    limit = next((each.max_life for each in contract.classes if each.name == row.identity_class), None)
    if limit is not None and row.lineage_first is not None and row.issued_at - row.lineage_first > limit:
        first = row.issue_leaf if row.lineage_first_leaf is None else row.lineage_first_leaf
        return violated("renewed past the longest life of its class", Basis.OBSERVED, row.issue_leaf, first)
    if row.brokered and row.broker_link == "renews" and row.broker_reason:
        return proved(f"decided anew, for the reason given: {row.broker_reason}", Basis.OBSERVED, row.issue_leaf)
    if row.brokered and row.broker_link != "renews":
        return not_applicable("asked for and decided by itself: no renewal")
    if (row.lineage_position or 1) <= 1:
        return not_applicable("the first of its lineage")
    return unproven(
        "renewed by its platform while no end of the run was seen",
        Best.INDICATED,
        row.issue_leaf,
        settles=Settles.ORCHESTRATOR,
    )


RULE = Rule(
    id="renewed",
    title="renewed past its run or class limit",
    question=Question.RENEWED,
    severity=Severity.HIGH,
    why="Short lives that renew without end are standing access.",
    action="Find who renews it; end the lineage and its role's sessions.",
    fix="the log of the orchestrator that runs it",
    controls=("NHI1:2025", "NHI7:2025", "ASI10", "AC-2(3)"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
