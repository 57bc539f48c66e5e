"""What is the identity for?"""

from custody.model.contracts import Contract
from custody.model.verdicts import Basis, Best, Question, Severity, Verdict, proved, unproven
from custody.rules.rule import Rule
from custody.rules.settling import Settles
from custody.rules.standing_claims import FACTS, Row, told


def judge(row: Row, contract: Contract) -> Verdict:
    """Proved where owner or deputy signed for it beforehand; a contract or an unsigned document only claims."""
    found = told(row)
    if found is not None:
        if found.proved:
            return proved(found.text, Basis.OBSERVED, *found.leaves)
        return unproven(found.text, found.best, *found.leaves, settles=Settles.REGISTER_PURPOSE)
    for each in contract.classes:
        if each.name == row.identity_class and each.purpose:
            return unproven(f"{each.purpose}, says the contract", Best.CLAIMED, settles=Settles.REGISTER_PURPOSE)
    return unproven("no register or contract names a purpose", settles=Settles.CONTRACT)


RULE = Rule(
    id="purpose",
    title="purpose",
    question=Question.PURPOSE,
    severity=Severity.MEDIUM,
    why="Without a purpose nobody can say which use was a misuse.",
    action="State the purpose in the register, and let its owner sign it.",
    fix="a contract with owner and purpose",
    controls=("NHI5:2025", "ID.AM-08", "AC-2", "ISO27001 A.5.9"),
    row=Row,
    judge=judge,
    facts=FACTS.format(field="purpose"),
)
