"""One record identity with several values: somebody changed one of the copies."""

import msgspec

from custody.model.contracts import Contract
from custody.model.verdicts import Basis, Severity, Verdict, violated
from custody.rules.rule import Rule

FACTS = """
    SELECT concat(source, ':', event) AS subject, concat(source, ' event ', event) AS who,
           CAST(NULL AS VARCHAR) AS key, array_sort(array_agg(leaf)) AS leaves, count(*) AS total
    FROM conflicted GROUP BY source, event
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    subject: str
    who: str
    key: str | None
    leaves: list[int]
    total: int


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Every identity with more than one value is a conflict."""
    return violated(
        f"the same identity came with {row.total} different values", Basis.OBSERVED, *row.leaves, count=row.total
    )


RULE = Rule(
    id="conflicting-record",
    title="record in conflict",
    question=None,
    severity=Severity.HIGH,
    why="Two values under one identity mean that a copy of the log was changed or forged.",
    action="Compare the copies (custody show) with the original at the vendor; treat what rests on them as unproven.",
    fix="",
    controls=("AU-9", "AU-10", "RS.AN-07", "ISO27001 A.5.28"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
