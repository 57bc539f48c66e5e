"""Was the credential approved, where the contract asks for it?"""

import msgspec

from custody.model.contracts import Contract
from custody.model.verdicts import Question, Severity, Verdict, not_applicable, unproven
from custody.rules.rule import Rule


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    identity_class: str | None


def judge(row: Row, contract: Contract) -> Verdict:
    """Not applicable where no contract asks; unproven where one does and no approval log was read."""
    asked = next((each.approval for each in contract.classes if each.name == row.identity_class), None)
    if asked is None:
        return not_applicable("no contract asks for approval")
    return unproven(
        f"the contract asks for {asked.count} approval(s) by {asked.by}; no approval log was read",
        settles="a source of approvals",
    )


RULE = Rule(
    id="approved",
    title="approved",
    question=Question.APPROVED,
    severity=Severity.HIGH,
    why="A credential that needed approval and had none was nobody's decision.",
    action="Connect the system in which approvals are given.",
    fix="a source of approvals",
    controls=("NHI10:2025", "AC-2", "CC6.2", "A.5.18"),
    row=Row,
    judge=judge,
)
