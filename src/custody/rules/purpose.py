"""What is the identity for?"""

import msgspec

from custody.model.contracts import Contract
from custody.model.verdicts import Best, Question, Severity, Verdict, unproven
from custody.rules.rule import Rule
from custody.rules.settling import Settles


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    identity_class: str | None


def judge(row: Row, contract: Contract) -> Verdict:
    """A contract declares a purpose; declared is claimed, never proved."""
    for each in contract.classes:
        if each.name == row.identity_class and each.purpose:
            return unproven(f"{each.purpose}, says the contract", Best.CLAIMED, settles=Settles.REGISTER_PURPOSE)
    return unproven("no contract names a purpose", settles=Settles.CONTRACT)


RULE = Rule(
    id="purpose",
    title="purpose",
    question=Question.PURPOSE,
    severity=Severity.MEDIUM,
    why="Without a purpose nobody can say which use was a misuse.",
    action="State the purpose in the contract.",
    fix="a contract with owner and purpose",
    controls=("NHI5:2025", "ID.AM-08", "AC-2", "A.5.9"),
    row=Row,
    judge=judge,
)
