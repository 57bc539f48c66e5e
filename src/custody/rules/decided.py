"""By which policy was the credential issued?

Of what a broker issued, the entry that decided it is cited too; without one that allowed it no policy did.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.verdicts import Basis, Best, Question, Severity, Verdict, proved, unproven
from custody.rules.rule import Rule
from custody.rules.settling import decision_log

FACTS = "SELECT b.key AS key, b.decided_leaf FROM brokered b"


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    key: str
    issue_leaf: int | None
    policy: str | None
    issue_disputed: bool
    decided_leaf: int | None


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Proved where the issuing record names the policy by which its own service decided."""
    if row.issue_leaf is None:
        return unproven("no issuance is recorded", settles=decision_log(row.key))
    if row.issue_disputed:
        return unproven("the issuing record is in conflict", Best.NOTHING, row.issue_leaf)
    if row.policy is None:
        return unproven(
            "the issuing record names no policy", Best.NOTHING, row.issue_leaf, settles=decision_log(row.key)
        )
    leaves = (row.issue_leaf,) if row.decided_leaf is None else (row.issue_leaf, row.decided_leaf)
    return proved(f"allowed by {row.policy}", Basis.OBSERVED, *leaves)


RULE = Rule(
    id="decided-by-policy",
    title="decided by which policy",
    question=Question.DECIDED,
    severity=Severity.MEDIUM,
    why="Access that no policy can be named for was given by accident or by habit.",
    action="Let the issuer record the policy by which it decides.",
    fix="an issuer that records the policy by which it decides",
    controls=("NHI5:2025", "AC-3", "PR.AA-05", "CC6.3", "ISO27001 A.8.3"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
