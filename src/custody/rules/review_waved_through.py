"""A review of access that bears the marks of one that nobody made: worth a look, and proof of nothing.

The marks: decided faster than anybody reads, everything kept for one and the same reason, decided by nobody but the
owner of all of it, or not signed by the reviewer who was asked. Times are those of the machines that sealed it.
"""

from collections.abc import Iterator

import msgspec

from custody.model.contracts import Contract
from custody.model.times import duration
from custody.model.verdicts import Severity, Verdict, indicated
from custody.rules.rule import Rule

READING = 2_000_000
"""Time (µs) for each identity in which nobody reads what is shown of it, let alone thinks about it."""
MANY = 10
"""Identities from which on the time for each says anything."""
ALIKE = 20
"""Identities from which on one reason for keeping all of them is worth a look."""

FACTS = """
    SELECT concat('review:', r.review) AS subject, concat('review ', r.review) AS who, CAST(NULL AS VARCHAR) AS key,
           r.reviewer, r.identities, r.signed, r.kept, r.reasons, r.others, r.last_at - r.opened_at AS took, r.owned,
           r.leaf
    FROM reviews r
    WHERE r.identities > 0 AND r.decided = r.identities
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one review all of which is decided."""

    subject: str
    who: str
    key: str | None
    reviewer: str
    identities: int
    signed: int
    kept: int
    reasons: int
    others: str | None
    took: int
    owned: int
    leaf: int


def judge(row: Row, contract: Contract) -> Verdict | None:  # noqa: ARG001  # the signature of every rule
    """Indicated: medium where hardly anybody can have looked, low where it is only unusual."""
    hasty, unusual = list(_hasty(row)), list(_unusual(row))
    if not hasty and not unusual:
        return None
    severity = Severity.MEDIUM if hasty else Severity.LOW
    unsigned = row.signed < row.identities and not hasty
    title = "access review not signed by its reviewer" if unsigned else None
    return indicated(f"worth a look: {'; '.join([*hasty, *unusual])}", severity, row.leaf, title=title)


def _hasty(row: Row) -> Iterator[str]:
    if row.identities >= MANY and 0 <= row.took < READING * row.identities:
        yield f"{row.identities} identities were decided {duration(row.took)} after it was opened"
    if row.identities >= ALIKE and row.kept == row.identities and row.reasons == 1:
        yield f"all {row.identities} are kept for one and the same reason"


def _unusual(row: Row) -> Iterator[str]:
    if row.identities and row.owned == row.identities:
        yield "whoever decided is the owner of all of it"
    if row.signed < row.identities:
        who = f"signed by {row.others}" if row.others else "nobody signed"
        yield f"{row.reviewer} was asked, and signed {row.signed} of {row.identities} decisions; of the others {who}"


RULE = Rule(
    id="review-waved-through",
    title="access review looks waved through",
    question=None,
    severity=Severity.MEDIUM,
    why="A review that nobody made leaves access as it was and looks like control.",
    action="Ask the reviewer what was looked at; open it again, as a sample if it is too much for one person.",
    fix="",
    controls=("NHI5:2025", "AC-2", "AC-6(7)", "PR.AA-05", "CC6.3", "ISO27001 A.5.18"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
