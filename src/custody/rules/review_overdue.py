"""A review of access whose date has passed while some of it is not decided.

The date is held against the last moment of which the store knows: an event, or a statement that was sealed later.
`custody review show` holds it against the clock.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.times import text, until_text
from custody.model.verdicts import Severity, Verdict, indicated
from custody.rules.rule import Rule

FACTS = """
    SELECT concat('review:', r.review) AS subject, concat('review ', r.review) AS who, CAST(NULL AS VARCHAR) AS key,
           r.reviewer, r.due, r.moment, r.identities, r.decided, r.leaf
    FROM reviews r
    WHERE r.closed_at IS NULL AND r.decided < r.identities AND r.moment >= r.due
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one review that was due by ``moment`` and is not decided."""

    subject: str
    who: str
    key: str | None
    reviewer: str
    due: int
    moment: int
    identities: int
    decided: int
    leaf: int


def judge(row: Row, contract: Contract) -> Verdict | None:  # noqa: ARG001  # the signature of every rule
    """Indicated: somebody may have looked and not said so."""
    if row.decided >= row.identities or row.moment < row.due:
        return None
    left = row.identities - row.decided
    told = (
        f"{left} of {row.identities} identities not decided, due {until_text(row.due)}, asked of {row.reviewer}; "
        f"as of {text(row.moment)}"
    )
    return indicated(told, Severity.MEDIUM, row.leaf)


RULE = Rule(
    id="review-overdue",
    title="access review overdue",
    question=None,
    severity=Severity.MEDIUM,
    why="Access that nobody looked at again stays because it was there, not because it is needed.",
    action="Let the reviewer decide what is left: `custody review show` lists it, `custody review sign` takes it.",
    fix="",
    controls=("NHI1:2025", "NHI5:2025", "AC-2", "AC-6(7)", "PR.AA-05", "CC6.3", "ISO27001 A.5.18"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
