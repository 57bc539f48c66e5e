"""Who asked for the credential?"""

import msgspec

from custody.model.contracts import Contract
from custody.model.events import Asserter
from custody.model.verdicts import Basis, Best, Question, Severity, Verdict, proved, unproven
from custody.rules.rule import Rule
from custody.rules.settling import issuer_log


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    issue_leaf: int | None
    requester: str | None
    issuing_service: str | None
    issue_disputed: bool
    workload: str | None
    bound_by: str | None
    key: str


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Proved where the issuing record names the caller, as the issuer authenticated it."""
    if row.issue_leaf is None:
        return unproven("no issuance is recorded", settles=issuer_log(row.key))
    if row.issue_disputed:
        return unproven("the issuing record is in conflict", Best.NOTHING, row.issue_leaf)
    asked = row.requester or row.issuing_service
    if asked is None and row.workload is not None and row.bound_by == Asserter.ISSUER:
        who = row.workload.split(":", 2)[-1]
        return proved(f"asked for by {who} itself, as the issuer authenticated it", Basis.OBSERVED, row.issue_leaf)
    if asked is None:
        return unproven("the issuing record names no caller", Best.NOTHING, row.issue_leaf)
    return proved(f"asked for by {asked.split(':', 2)[-1]}", Basis.OBSERVED, row.issue_leaf)


RULE = Rule(
    id="requester-known",
    title="requester known",
    question=Question.REQUESTER,
    severity=Severity.MEDIUM,
    why="Without a requester nobody can be asked why the credential exists.",
    action="Collect the log of the account that issued the credential.",
    fix="the log of the issuing account",
    controls=("AU-10(1)", "PR.AA-01", "CC6.1"),
    row=Row,
    judge=judge,
)
