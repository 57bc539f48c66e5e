"""Is there a role of a machine that nobody has used for months, as the account's own list says?

The list says when each role was last used, over 400 days. When it was made it does not say: no earlier than the latest
time that it speaks of. A role that the logs show in use is not looked at, whatever an older list says.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.times import duration, text
from custody.model.verdicts import Severity, Verdict, indicated
from custody.rules.packed import named
from custody.rules.rule import Rule

DAY = 24 * 3_600_000_000
IDLE = 90 * DAY
"""How long without a use is worth a look (µs)."""

FACTS = f"""
    SELECT i.principal AS subject, {named("i.principal")} AS who, CAST(NULL AS VARCHAR) AS key, i.last_used, i.newest,
           i.leaf
    FROM idle_roles i
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one role."""

    subject: str
    who: str
    key: str | None
    last_used: int
    newest: int
    leaf: int


def judge(row: Row, contract: Contract) -> Verdict | None:  # noqa: ARG001  # the signature of every rule
    """Indicated, low: somebody may need it once a year."""
    idle = row.newest - row.last_used
    if idle < IDLE:
        return None
    told = f"last used at {text(row.last_used)}, {duration(idle - idle % DAY)} or more before the list was made"
    return indicated(told, Severity.LOW, row.leaf)


RULE = Rule(
    id="unused-identity",
    title="a role that nobody uses",
    question=None,
    severity=Severity.LOW,
    why="What nobody uses nobody misses when somebody else does.",
    action="Ask its owner; take its policies away for a while, then remove it.",
    fix="",
    controls=("NHI1:2025", "NHI5:2025", "AC-2(3)", "PR.AA-05", "ISO27001 A.5.18"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
