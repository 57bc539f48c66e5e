"""Who answers for the identity?"""

import msgspec

from custody.model.contracts import Contract
from custody.model.verdicts import Best, Question, Severity, Verdict, unproven
from custody.rules.rule import Rule
from custody.rules.settling import Settles


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    identity_class: str | None


def judge(row: Row, contract: Contract) -> Verdict:
    """A contract declares an owner; declared is claimed, never proved."""
    for each in contract.classes:
        if each.name == row.identity_class and each.owner:
            return unproven(f"{each.owner}, says the contract", Best.CLAIMED, settles=Settles.REGISTER_OWNER)
    return unproven("no contract names an owner", settles=Settles.CONTRACT)


RULE = Rule(
    id="owner",
    title="owner",
    question=Question.OWNER,
    severity=Severity.MEDIUM,
    why="An identity without an owner is nobody's to review, rotate or end.",
    action="Name an owner in the contract.",
    fix="a contract with owner and purpose",
    controls=("NHI1:2025", "GV.RR-02", "AC-2", "A.5.16"),
    row=Row,
    judge=judge,
)
