"""Break-glass credentials that were used, and not rotated within a day or not reviewed within three days of it."""

import msgspec

from custody.model.contracts import Contract
from custody.model.times import duration, text
from custody.model.verdicts import Basis, Severity, Verdict, indicated, violated
from custody.rules.breaking_glass import GLASS, WHO
from custody.rules.rule import Rule
from custody.rules.settling import Settles

DAY = 24 * 3_600_000_000
ROTATED, REVIEWED = DAY, 3 * DAY
"""How long after its first use it may take (µs)."""

FACTS = f"""
    {GLASS}
    SELECT u.glass AS subject, {WHO} AS who, c.key AS key, u.first, u.leaf, a.rotated, a.rotated_leaf, a.reviewed,
           a.reviewed_leaf, n.now
    FROM used u
    JOIN after a ON a.glass = u.glass
    LEFT JOIN calls c ON c.glass = u.glass
    CROSS JOIN (SELECT max(time) AS now FROM parts) n
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: a break-glass credential with a use, and what came after it."""

    subject: str
    who: str
    key: str | None
    first: int
    leaf: int
    rotated: int | None
    rotated_leaf: int | None
    reviewed: int | None
    reviewed_leaf: int | None
    now: int


def judge(row: Row, contract: Contract) -> Verdict | None:  # noqa: ARG001  # the signature of every rule
    """Violated by what came too late; what has not come by now is an absence, and indicated."""
    steps = (
        ("rotated", row.rotated, row.rotated_leaf, ROTATED),
        ("reviewed", row.reviewed, row.reviewed_leaf, REVIEWED),
    )
    missing = [f"not {name} within {duration(limit)}" for name, at, _, limit in steps
               if at is None and row.now > row.first + limit]  # fmt: skip
    late = [(f"{name} only {duration(at - row.first)} after", leaf) for name, at, leaf, limit in steps
            if at is not None and at > row.first + limit]  # fmt: skip
    if not missing and not late:
        return None
    told = f"used first at {text(row.first)}: {', '.join((*missing, *(said for said, _ in late)))}"
    leaves = (row.leaf, *(leaf for _, leaf in late if leaf is not None))
    if missing:
        return indicated(told, Severity.MEDIUM, *leaves, settles=Settles.BROKER)
    return violated(told, Basis.OBSERVED, *leaves)


RULE = Rule(
    id="break-glass-open",
    title="break-glass left open",
    question=None,
    severity=Severity.MEDIUM,
    why="A sealed credential whose seal is broken is an ordinary secret with every right.",
    action="Rotate it, and have it reviewed by somebody who did not use it.",
    fix="",
    controls=("NHI7:2025", "AC-2", "IR-4", "GV.OV-03"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
