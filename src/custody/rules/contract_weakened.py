"""Versions of the contract that ask less of a time before they were sealed: demands that were lowered after the fact.

A version that holds only from its sealing on may ask for less: that is a decision. One that reaches back makes what was
wrong by the version before it right, and nobody who sees the newest report would know.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.times import text
from custody.model.verdicts import Basis, Severity, Verdict, violated
from custody.rules.rule import Rule

SHOWN = 5
"""Weakened demands that the finding names; the rest are counted."""

FACTS = """
    SELECT v.subject, concat('contract ', substr(v.digest, 1, 12)) AS who, CAST(NULL AS VARCHAR) AS key, v.leaf,
           v.sealed_at, v.since, v.weaker, v.excused
    FROM contract_versions v
    WHERE v.weaker <> ''
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one sealed version of the contract."""

    subject: str
    who: str
    key: str | None
    leaf: int
    sealed_at: int
    since: int | None
    weaker: str
    excused: bool


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Violated: the statement itself shows it. Suppressions alone stay visible with who bears them: low."""
    found = row.weaker.splitlines()
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    since = "for everything before" if row.since is None else f"from {text(row.since)} on"
    told = f"sealed at {text(row.sealed_at)} and holds {since}; it asks less: {'; '.join(found[:SHOWN])}{more}"
    verdict = violated(told, Basis.OBSERVED, row.leaf)
    return msgspec.structs.replace(verdict, severity=Severity.LOW) if row.excused else verdict


RULE = Rule(
    id="contract-weakened",
    title="demands lowered after the fact",
    question=None,
    severity=Severity.HIGH,
    why="What was wrong when it happened looks right by a contract that was changed afterwards.",
    action="Ask who changed it and why; give a version that asks less a `since` that lies after its sealing.",
    fix="",
    controls=("CM-3", "GV.PO-02", "CC8.1", "ISO27001 A.8.9"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
