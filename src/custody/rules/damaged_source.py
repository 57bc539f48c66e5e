"""Sources with holes: truncated or unreadable files, and gaps against what the contract expects."""

import msgspec

from custody.model.contracts import Contract
from custody.model.verdicts import Basis, Severity, Verdict, indicated, violated
from custody.rules.rule import Rule

FACTS = """
    SELECT subject, who, CAST(NULL AS VARCHAR) AS key, problem, leaf, total, grave FROM holes
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    subject: str
    who: str
    key: str | None
    problem: str
    leaf: int | None
    total: int
    grave: bool


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Every hole is a finding. A silence is held against what was declared, and no record shows it: indicated."""
    if row.leaf is None:
        return indicated(row.problem, Severity.MEDIUM)
    found = violated(row.problem, Basis.OBSERVED, row.leaf, count=row.total)
    if not row.grave:
        return found
    return msgspec.structs.replace(found, severity=Severity.HIGH, title="log was changed")


RULE = Rule(
    id="source-with-holes",
    title="source with holes",
    question=None,
    severity=Severity.MEDIUM,
    why="What a hole hides can be neither proved nor ruled out.",
    action="Fetch the file again, or find out why nothing was delivered.",
    fix="",
    controls=("AU-5", "AU-12", "PR.PS-04", "PCI 10.7.2"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
