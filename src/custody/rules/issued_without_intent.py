"""Credentials that a broker issued without a sealed decision to issue them, or beyond it.

A broker writes down what it decided, and what it is about to make, before it makes it; the line of the outcome names
that line. One that names a line of another request, a denial, or a line that is not before it was never decided.
"""

import msgspec

from custody.chains.brokered import SOURCE
from custody.model.contracts import Contract
from custody.model.times import text
from custody.model.verdicts import Basis, Severity, Verdict, indicated, violated
from custody.rules.rule import Rule
from custody.rules.settling import Settles

ROUNDED = 2_000_000
"""A server may round an expiry up by this much (µs)."""

FACTS = f"""
    SELECT b.key AS subject, j.who, b.key AS key, b.leaf, b.chain, b.seq, b.decided, b.verdict, b.decided_leaf,
           b.planned_until, i.not_after, d.leaf AS line_leaf
    FROM brokered b
    JOIN judged j ON j.key = b.key
    JOIN (
        SELECT p.leaf, p.key, max(p.not_after) AS not_after FROM parts p
        WHERE p.source = '{SOURCE}' AND p.stage = 'issue' GROUP BY p.leaf, p.key
    ) i ON i.leaf = b.leaf AND i.key = b.key
    LEFT JOIN (
        SELECT event, min(leaf) AS leaf FROM every_part
        WHERE source = '{SOURCE}' AND effect = 'log.line' AND NOT in_conflict GROUP BY event
    ) d ON d.event = concat(b.broker, '/', CAST(b.decided AS VARCHAR))
    WHERE NOT b.sound OR i.not_after > b.planned_until + {ROUNDED}
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: an issue beside the line that it names as its decision."""

    subject: str
    who: str
    key: str
    leaf: int
    chain: str
    seq: int
    decided: int | None
    verdict: str | None
    decided_leaf: int | None
    planned_until: int | None
    not_after: int | None
    line_leaf: int | None


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Violated by what the two lines say; where the line was not read, its absence is worth a look."""
    leaves = tuple(leaf for leaf in (row.leaf, row.decided_leaf or row.line_leaf) if leaf is not None)
    line = f"line {row.decided}"
    if row.decided is None or row.decided >= row.seq:
        return violated(f"{row.chain} was issued by line {row.seq}, and names no decision before it", _SEEN, *leaves)
    if row.line_leaf is None:
        told = f"{row.chain} was issued by decision of {line}, which was not read or is in conflict"
        return indicated(told, Severity.MEDIUM, row.leaf, settles=Settles.BROKER, title="decision not read")
    if row.verdict is None:
        return violated(f"{row.chain} was issued, and {line} decided no request of it", _SEEN, *leaves)
    if row.verdict != "decision.allow":
        what = "denied it" if row.verdict == "decision.deny" else "asked for approval first"
        return violated(f"{row.chain} was issued, and {line}, which it names, {what}", _SEEN, *leaves)
    if row.planned_until is None:
        return violated(f"{row.chain} was issued, and {line} planned no credential", _SEEN, *leaves)
    told = f"issued until {text(row.not_after)}; what was decided was to end at {text(row.planned_until)}"
    return msgspec.structs.replace(violated(told, _SEEN, *leaves), title="issued beyond what was decided")


_SEEN = Basis.OBSERVED

RULE = Rule(
    id="issued-without-intent",
    title="issued without a decision",
    question=None,
    severity=Severity.HIGH,
    why="A broker that issues what it did not decide first has lost its keys, or its log is not its own.",
    action="End the credential; stop the broker, and compare its log with a checkpoint that is held elsewhere.",
    fix="",
    controls=("NHI5:2025", "ASI03", "AC-3", "AU-12", "PR.AA-05"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
