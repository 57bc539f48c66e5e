"""Is more granted than is used: everything on everything, powers over others, whole services without any use seen?

What is granted is read; that it is not needed can only be indicated. An absence of uses counts over a month of a trail
at least, and for services whose every use is a management event; other regions and accounts may not have been read.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.times import duration
from custody.model.verdicts import Severity, Verdict, indicated
from custody.rules.packed import named
from custody.rules.rule import Rule
from custody.rules.settling import Settles

MONTH = 30 * 24 * 3_600_000_000
"""How long a trail has to be for an absence in it to be worth a look (µs)."""

FACTS = f"""
    SELECT f.principal AS subject, {named("f.principal")} AS who, CAST(NULL AS VARCHAR) AS key, f.everything, f.powers,
           f.unused, f.narrowed, f.until - f.since AS period,
           (SELECT array_sort(array_agg(DISTINCT g.leaf)) FROM grants g
            WHERE g.principal = f.principal AND g.until IS NULL AND g.kind IN ('managed', 'inline', 'group')) AS leaves
    FROM privilege_facts f
    WHERE f.population = 'machine'
      AND (f.everything IS NOT NULL OR f.powers IS NOT NULL OR f.unused IS NOT NULL)
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one principal as it stands at the end of the records."""

    subject: str
    who: str
    key: str | None
    everything: str | None
    powers: str | None
    unused: str | None
    narrowed: str | None
    period: int | None
    leaves: list[int] | None


def judge(row: Row, contract: Contract) -> Verdict | None:  # noqa: ARG001  # the signature of every rule
    """Indicated: medium for everything and for powers over others, low for whole services without a use."""
    told, severity = [], Severity.LOW
    if row.everything:
        told.append(f"{row.everything} allows everything on everything")
        severity = Severity.MEDIUM
    if row.powers:
        told.append(f"{row.powers} on every resource")
        severity = Severity.MEDIUM
    if row.unused and row.period is not None and row.period >= MONTH:
        told.append(f"all of {row.unused}, of which no use was seen in {duration(row.period)} of the account's trail")
    if not told:
        return None
    if row.narrowed:
        told.append(row.narrowed)
        severity = Severity.LOW
    return indicated("; ".join(told), severity, *(row.leaves or ()), settles=Settles.COMPLETE)


RULE = Rule(
    id="over-granted",
    title="more granted than used",
    question=None,
    severity=Severity.MEDIUM,
    why="Whoever takes the credential gets all that it may do, not only what it does.",
    action="Grant the actions that were used, on the resources they were used on; take the rest away.",
    fix="",
    controls=("NHI5:2025", "ASI03", "PR.AA-05", "AC-6", "CC6.3", "ISO27001 A.8.2", "PCI 7.2.5"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
