"""Break-glass that somebody still has to do something about.

A sealed credential that was used, and not rotated within a day or not reviewed within three days of it; one that nobody
used, and that was not rotated by the time that was sealed with it. One that the broker gave without approval, which the
second one did not approve in time, or denied, or which nobody reviewed within three days.
"""

import msgspec

from custody.chains.brokered import SOURCE
from custody.model.contracts import Contract
from custody.model.times import duration, text
from custody.model.verdicts import Basis, Severity, Verdict, indicated, violated
from custody.rules.breaking_glass import GLASS, WHO
from custody.rules.rule import Rule
from custody.rules.settling import Settles

DAY = 24 * 3_600_000_000
ROTATED, REVIEWED = DAY, 3 * DAY
"""How long after its first use, or its issue, it may take (µs)."""

ONLINE = f"""
    , online AS (
        SELECT glass, min(object) AS key, min(time) AS first, min(leaf) AS leaf FROM steps
        WHERE effect = 'glass.issued' GROUP BY glass
    ), answers AS (
        SELECT o.glass, a.effect, a.subject, a.time, a.leaf
        FROM online o
        JOIN parts d ON regexp_replace(d.key, '^.*:cc-', 'bg-') = regexp_replace(o.glass, '^.*:', '')
                    AND d.effect = 'decision.approval_required' AND d.source = '{SOURCE}' AND NOT d.in_conflict
        JOIN parts a ON a.key = d.related AND a.effect IN ('approval.grant', 'approval.deny', 'approval.withdraw')
                    AND a.outcome = 'success' AND a.source = '{SOURCE}' AND NOT a.in_conflict
    ), answered AS (
        SELECT o.glass, min(CASE WHEN a.effect = 'approval.grant' THEN a.leaf END) AS approved_leaf,
               min(CASE WHEN a.effect = 'approval.deny' THEN a.leaf END) AS denied_leaf
        FROM online o
        LEFT JOIN answers a ON a.glass = o.glass AND NOT EXISTS (
            SELECT 1 FROM answers w
            WHERE w.glass = a.glass AND w.subject = a.subject AND w.effect = 'approval.withdraw')
        GROUP BY o.glass
    )
"""
"""Tables ``online``, what a broker gave under break-glass, and ``answered``, what the second one said to it.

The request that asks them is of the same chain as the credential, and a break-glass has the id of its chain. A decision
of people is a success where the broker counted it: of another one, in time, of exactly this request.
"""

FACTS = f"""
    {GLASS} {ONLINE}
    , due AS (
        SELECT p.key AS glass, min(CASE WHEN p.effect = 'glass.rotate-by' THEN p.not_after END) AS rotate_by,
               min(CASE WHEN p.effect = 'glass.review-by' THEN p.not_after END) AS review_by, min(p.leaf) AS leaf
        FROM parts p
        WHERE p.source = '{SOURCE}' AND p.effect IN ('glass.rotate-by', 'glass.review-by') AND p.key IS NOT NULL
          AND NOT p.in_conflict
        GROUP BY p.key
    ), done AS (
        SELECT p.key AS glass, min(CASE WHEN p.effect <> 'glass.reviewed' THEN p.time END) AS gone,
               min(CASE WHEN p.effect = 'glass.reviewed' THEN p.time END) AS reviewed,
               min(CASE WHEN p.effect = 'glass.reviewed' THEN p.leaf END) AS reviewed_leaf
        FROM parts p
        WHERE p.source = '{SOURCE}' AND NOT p.in_conflict AND (p.effect IN ('glass.rotated', 'glass.reviewed')
          OR (p.effect = 'glass.ended' AND p.method IS NULL))
        GROUP BY p.key
    ), subjects AS (SELECT glass FROM used UNION SELECT glass FROM online UNION SELECT glass FROM due)
    SELECT u.glass AS subject, {WHO} AS who, coalesce(c.key, o.key) AS key, f.first, o.first AS issued,
           coalesce(f.leaf, o.leaf, d.leaf) AS leaf, a.rotated, a.rotated_leaf,
           CASE WHEN f.first IS NULL THEN e.reviewed ELSE a.reviewed END AS reviewed,
           CASE WHEN f.first IS NULL THEN e.reviewed_leaf ELSE a.reviewed_leaf END AS reviewed_leaf,
           e.gone, d.rotate_by, d.review_by, y.approved_leaf, y.denied_leaf, n.now
    FROM subjects u
    LEFT JOIN used f ON f.glass = u.glass
    LEFT JOIN after a ON a.glass = u.glass
    LEFT JOIN calls c ON c.glass = u.glass
    LEFT JOIN online o ON o.glass = u.glass
    LEFT JOIN answered y ON y.glass = u.glass
    LEFT JOIN due d ON d.glass = u.glass
    LEFT JOIN done e ON e.glass = u.glass
    CROSS JOIN (SELECT max(time) AS now FROM parts) n
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: a break-glass credential, and what came after it.

    ``first`` is its first use where it was sealed, ``issued`` when a broker gave it; ``gone`` when it was rotated, or
    ended by the broker.
    """

    subject: str
    who: str
    key: str | None
    first: int | None
    issued: int | None
    leaf: int
    rotated: int | None
    rotated_leaf: int | None
    reviewed: int | None
    reviewed_leaf: int | None
    gone: int | None
    rotate_by: int | None
    review_by: int | None
    approved_leaf: int | None
    denied_leaf: int | None
    now: int


def judge(row: Row, contract: Contract) -> Verdict | None:  # noqa: ARG001  # the signature of every rule
    """Violated by what came too late or was denied; what has not come by now is an absence, and indicated."""
    if row.denied_leaf is not None:
        told = f"given at {text(row.issued)} without approval, and denied afterwards"
        return msgspec.structs.replace(
            violated(told, Basis.OBSERVED, row.leaf, row.denied_leaf), severity=Severity.HIGH
        )
    missing, late = _steps(row)
    if row.first is None and row.rotate_by is not None and row.gone is None and row.now > row.rotate_by:
        missing.append(f"not rotated by {text(row.rotate_by)}")
    if row.issued is not None and row.approved_leaf is None and row.now > (row.review_by or row.issued):
        missing.insert(0, f"not approved by {text(row.review_by or row.issued)}")
    if not missing and not late:
        return None
    told = f"{_begin(row)}: {', '.join((*missing, *(said for said, _ in late)))}"
    leaves = (row.leaf, *(leaf for _, leaf in late if leaf is not None))
    if missing:
        return indicated(told, Severity.MEDIUM, *leaves, settles=Settles.BROKER)
    return violated(told, Basis.OBSERVED, *leaves)


def _steps(row: Row) -> tuple[list[str], list[tuple[str, int | None]]]:
    """What is missing and what came late of the steps that are due from a use, or from an issue."""
    begun = row.issued if row.first is None else row.first
    if begun is None:
        return [], []
    steps = [("reviewed", row.reviewed, row.reviewed_leaf, REVIEWED)]
    if row.first is not None:
        steps.insert(0, ("rotated", row.rotated, row.rotated_leaf, ROTATED))
    missing = [f"not {name} within {duration(limit)}" for name, at, _, limit in steps
               if at is None and row.now > begun + limit]  # fmt: skip
    late = [(f"{name} only {duration(at - begun)} after", leaf) for name, at, leaf, limit in steps
            if at is not None and at > begun + limit]  # fmt: skip
    return missing, late


def _begin(row: Row) -> str:
    if row.first is not None:
        return f"used first at {text(row.first)}"
    return "sealed, and never used" if row.issued is None else f"given at {text(row.issued)} without approval"


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
