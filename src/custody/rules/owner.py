"""Who answers for the identity?"""

from custody.model.contracts import Contract
from custody.model.verdicts import Basis, Best, Question, Severity, Verdict, proved, unproven
from custody.rules.rule import Rule
from custody.rules.settling import Settles
from custody.rules.standing_claims import FACTS, Row, told


def judge(row: Row, contract: Contract) -> Verdict:
    """Proved where the owner signed for it beforehand; a contract or an unsigned document only claims."""
    found = told(row)
    if found is not None:
        if found.proved:
            return proved(found.text, Basis.OBSERVED, *found.leaves)
        return unproven(found.text, found.best, *found.leaves, settles=Settles.REGISTER_OWNER)
    for each in contract.classes:
        if each.name == row.identity_class and each.owner:
            return unproven(f"{each.owner}, says the contract", Best.CLAIMED, settles=Settles.REGISTER_OWNER)
    return unproven("no register or contract names an owner", settles=Settles.CONTRACT)


RULE = Rule(
    id="owner",
    title="owner",
    question=Question.OWNER,
    severity=Severity.MEDIUM,
    why="An identity without an owner is nobody's to review, rotate or end.",
    action="Name an owner in the register, and let the owner sign it.",
    fix="a contract with owner and purpose",
    controls=("NHI1:2025", "GV.RR-02", "AC-2", "ISO27001 A.5.16"),
    row=Row,
    judge=judge,
    facts=FACTS.format(field="owner"),
)
