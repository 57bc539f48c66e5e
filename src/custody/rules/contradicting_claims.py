"""Two that speak of one identity, and do not say the same: documents, the contract, or tags of an inventory.

All claims are kept, none wins. A value is compared in one case and without the word for a kind of party; a person and
the team that declares them a member agree.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.verdicts import Severity, Verdict, indicated
from custody.rules.rule import Rule

FACTS = """
    SELECT identity AS subject, identity AS who, CAST(NULL AS VARCHAR) AS key,
           array_sort(array_agg(told)) AS told, bool_or(field IN ('owner', 'deputy')) AS answerable,
           array_sort(array_agg(leaf) FILTER (WHERE leaf IS NOT NULL)) AS leaves
    FROM contradictions
    GROUP BY identity
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one identity, and the two sides of every field in dispute."""

    subject: str
    who: str
    key: str | None
    told: list[str]
    answerable: bool
    leaves: list[int] | None


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Indicated: which side is right no record shows."""
    severity = Severity.MEDIUM if row.answerable else Severity.LOW
    return indicated(". ".join(row.told), severity, *(row.leaves or []))


RULE = Rule(
    id="contradicting-claims",
    title="claims about an identity contradict each other",
    question=None,
    severity=Severity.MEDIUM,
    why="Where two are said to answer for an identity, neither does.",
    action="Settle which is right, and correct the others: the document, the contract, or the tag.",
    fix="",
    controls=("NHI1:2025", "GV.RR-02", "AC-2", "ISO27001 A.5.9"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
