"""Records whose objects hold one key twice: two parsers reading one record differently is an attack."""

import msgspec

from custody.model.contracts import Contract
from custody.model.verdicts import Basis, Severity, Verdict, violated
from custody.rules.rule import Rule

FACTS = """
    SELECT concat(source, ':', event) AS subject, concat('a record of ', source) AS who,
           CAST(NULL AS VARCHAR) AS key, min(leaf) AS leaf, count(*) AS total
    FROM skipped WHERE reason = 'duplicate-keys' GROUP BY source, event
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    subject: str
    who: str
    key: str | None
    leaf: int
    total: int


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Every such record is a finding."""
    return violated(
        "an object of the record has the same key twice; it is sealed and not understood", Basis.OBSERVED, row.leaf
    )


RULE = Rule(
    id="duplicate-keys",
    title="record with duplicate keys",
    question=None,
    severity=Severity.HIGH,
    why="Parsers disagree about which of the two values counts, so one record can tell two stories.",
    action="Look at the bytes (custody show --raw) and at who could have written them.",
    fix="",
    controls=("AU-9", "SI-7", "RS.AN-07"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
