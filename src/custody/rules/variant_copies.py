"""Copies in another wrapping that lack fields of the fuller record: a collector drops evidence."""

import msgspec

from custody.model.contracts import Contract
from custody.model.verdicts import Basis, Severity, Verdict, violated
from custody.rules.rule import Rule

FACTS = """
    SELECT concat(source, ':', thinner, '<', fuller) AS subject,
           concat(source, ' ', thinner, ' copies') AS who, CAST(NULL AS VARCHAR) AS key,
           fuller, thinner, count(*) AS total,
           array_sort(array_agg(leaf) FILTER (WHERE position <= 16)) AS leaves
    FROM (
        SELECT v.*, row_number() OVER (PARTITION BY source, fuller, thinner ORDER BY leaf) AS position
        FROM variants v
    ) numbered
    GROUP BY source, fuller, thinner
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    subject: str
    who: str
    key: str | None
    fuller: str
    thinner: str
    total: int
    leaves: list[int]


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """One finding for a pair of forms."""
    text = f"{row.total} {row.thinner} copies lack fields of the {row.fuller} records"
    return violated(text, Basis.OBSERVED, *row.leaves, count=row.total)


RULE = Rule(
    id="variant-copies",
    title="copies that lack fields",
    question=None,
    severity=Severity.LOW,
    why="A collector that drops fields drops evidence.",
    action="Collect the fuller form, or mend the collector.",
    fix="",
    controls=("AU-3", "PR.PS-04", "ISO27001 A.8.15"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
