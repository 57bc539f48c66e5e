"""Do the original systems keep the records of a class as long as the contract asks?

What custody sealed stays. But once the original has gone nobody can fetch it again, to compare or to add what was
missed. A source that does not say how long it keeps its records is not judged: unknown is neither enough nor too short.
"""

import msgspec

from custody.chains.source_facts import CONTRACT
from custody.model.contracts import Contract
from custody.model.times import duration, text
from custody.model.verdicts import Severity, Verdict, indicated
from custody.rules.rule import Rule

FACTS = """
    WITH numbered AS (
        SELECT c.identity_class, r.source, r.key, r.until, r.retention, r.stated_by, r.leaf,
               row_number() OVER (PARTITION BY c.identity_class, r.source ORDER BY r.leaf, r.key) AS position
        FROM provable r
        JOIN credentials c ON c.key = r.key
        WHERE c.identity_class IS NOT NULL
    )
    SELECT concat(identity_class, ':', source) AS subject, concat('class ', identity_class, ' in ', source) AS who,
           CAST(NULL AS VARCHAR) AS key, identity_class, source, min(retention) AS retention,
           min(stated_by) AS stated_by, min(until) AS until, count(*) AS credentials,
           array_sort(array_agg(leaf) FILTER (WHERE position <= 8)) AS leaves
    FROM numbered
    GROUP BY identity_class, source
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one class in one source of known retention."""

    subject: str
    who: str
    key: str | None
    identity_class: str
    source: str
    retention: int
    stated_by: str
    until: int
    credentials: int
    leaves: list[int]


def judge(row: Row, contract: Contract) -> Verdict | None:
    """Indicated where the source keeps less than the class asks: no record shows what is thrown away."""
    asked = next((each.retention for each in contract.classes if each.name == row.identity_class), None)
    if asked is None or row.retention >= asked:
        return None
    whose = "says the contract" if row.stated_by == CONTRACT else "says its product, unless it is told otherwise"
    chains = "1 chain rests" if row.credentials == 1 else f"{row.credentials} chains rest"
    told = (
        f"{chains} on {row.source}, which keeps its records {duration(row.retention)}, {whose}; the class asks for "
        f"{duration(asked)}. From {text(row.until)} on the first can no longer be proved from the original systems"
    )
    return msgspec.structs.replace(indicated(told, Severity.MEDIUM, *row.leaves), count=row.credentials)


RULE = Rule(
    id="retention-too-short",
    title="original records kept too short",
    question=None,
    severity=Severity.MEDIUM,
    why="A chain whose original records are gone can be shown, but no longer checked where it came from.",
    action="Let the source keep its records as long as the class asks, or export them to where they are kept.",
    fix="",
    controls=("AU-11", "PR.PS-04", "PCI 10.5.1", "ISO27001 A.8.15"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
