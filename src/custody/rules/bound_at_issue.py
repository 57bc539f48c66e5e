"""Was the credential bound to a workload when it was issued, and how finely?"""

import msgspec

from custody.model.contracts import Contract
from custody.model.events import Asserter, Granularity
from custody.model.verdicts import Basis, Best, Question, Severity, Verdict, proved, unproven, violated
from custody.rules.rule import Rule
from custody.rules.settling import Settles, issuer_log

FINENESS = [each.value for each in Granularity]


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    issue_leaf: int | None
    workload: str | None
    granularity: str | None
    bound_by: str | None
    session_name: str | None
    issue_disputed: bool
    identity_class: str | None
    key: str


def judge(row: Row, contract: Contract) -> Verdict:
    """Proved where the issuer itself names the workload; violated where more coarsely than the contract asks."""
    if row.issue_leaf is None:
        return unproven("no issuance is recorded", settles=issuer_log(row.key))
    if row.issue_disputed:
        return unproven("the issuing record is in conflict", Best.NOTHING, row.issue_leaf)
    if row.workload is None or row.granularity is None or row.bound_by != Asserter.ISSUER:
        claim = f"session name {row.session_name!r} is the client's word" if row.session_name else "nothing names one"
        best = Best.CLAIMED if row.session_name else Best.NOTHING
        return unproven(claim, best, row.issue_leaf, settles=Settles.BINDING)
    wanted = _wanted(row, contract)
    if wanted is not None and FINENESS.index(row.granularity) < FINENESS.index(wanted):
        return violated(f"bound to {_bound(row)}, the contract asks for {wanted}", Basis.OBSERVED, row.issue_leaf)
    return proved(f"bound to {_bound(row)}", Basis.OBSERVED, row.issue_leaf)


def _bound(row: Row) -> str:
    return f"{(row.workload or '').split(':', 2)[-1]} ({row.granularity})"


def _wanted(row: Row, contract: Contract) -> str | None:
    for each in contract.classes:
        if each.name == row.identity_class and each.granularity is not None:
            return each.granularity.value
    return None


RULE = Rule(
    id="bound-at-issue",
    title="bound at issue",
    question=Question.BOUND,
    severity=Severity.MEDIUM,
    why="A credential that names no workload can be anybody's.",
    action="Issue it to an attested workload: an instance, a pod, a workflow run.",
    fix="session tags or source identity set by the issuer",
    controls=("NHI9:2025", "PR.AA-02", "IA-9", "CC6.1"),
    row=Row,
    judge=judge,
    excusable=True,
)
