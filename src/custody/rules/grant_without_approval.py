"""Were grants given to an identity whose class asks for approval, without any approval that reaches the change?

An approval reaches a change through the credential that made it: its run, its request, a ticket in its name. That none
was read is no proof that there was none: it is indicated, and less surely where no approval at all was read.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.times import text
from custody.model.verdicts import Severity, Verdict, indicated
from custody.rules.packed import named
from custody.rules.rule import Rule
from custody.rules.settling import Settles

FACTS = f"""
    WITH machines AS (
        SELECT c.subject AS principal, max(c.contract_version) AS contract_version,
               array_sort(array_agg(DISTINCT c.identity_class)) AS classes
        FROM credentials c
        WHERE c.population = 'machine' AND c.subject IS NOT NULL AND c.identity_class IS NOT NULL
        GROUP BY c.subject
    ), given AS (
        SELECT g.principal, g.leaf, g.since, g.effect, g.by_principal, g.approval_leaf,
               count(*) AS grants, min(coalesce(g.what, g.kind)) AS what
        FROM grants g
        WHERE g.since_how = 'observed' AND g.kind NOT IN ('version', 'rules')
        GROUP BY g.principal, g.leaf, g.since, g.effect, g.by_principal, g.approval_leaf
    )
    SELECT concat(g.principal, ' ', g.effect, ' ', g.what, ' ', CAST(g.since AS VARCHAR)) AS subject,
           {named("g.principal")} AS who, CAST(NULL AS VARCHAR) AS key, m.contract_version, m.classes,
           g.effect, g.what, g.since, g.by_principal, g.leaf,
           (SELECT count(*) FROM approvals) AS approvals
    FROM given g
    JOIN machines m ON m.principal = g.principal
    WHERE g.approval_leaf IS NULL
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one change of what a machine identity may do."""

    subject: str
    who: str
    key: str | None
    contract_version: int
    classes: list[str]
    effect: str
    what: str
    since: int
    by_principal: str | None
    leaf: int
    approvals: int


def judge(row: Row, contract: Contract) -> Verdict | None:
    """Indicated where the class asks: medium where approvals were read, low where none was."""
    asked = [each.approval for each in contract.classes if each.name in row.classes and each.approval is not None]
    if not asked:
        return None
    by = (row.by_principal or "nobody known").split(":", 2)[-1]
    told = f"{row.effect} {row.what} at {text(row.since)} by {by}; its class asks for approval by {asked[0].by}"
    if row.approvals:
        seen, severity = "none was read that reaches this change", Severity.MEDIUM
    else:
        seen, severity = "no approvals were read at all", Severity.LOW
    return indicated(f"{told}, and {seen}", severity, row.leaf, settles=Settles.APPROVALS)


RULE = Rule(
    id="grant-without-approval",
    title="a grant that nobody was seen to approve",
    question=None,
    severity=Severity.MEDIUM,
    why="Who may widen what a machine does without anybody's consent decides alone what the machine can take.",
    action="Ask who agreed to the change; make changes of grants in runs that need an approval.",
    fix="",
    controls=("NHI5:2025", "AC-2", "AC-6", "CC6.2", "ISO27001 A.5.18"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
