"""Break-glass credentials that were used, or that a broker gave without approval: each is an alarm, from then on.

The use is the target's word, or the broker's where it took in the journal of what was done without it. That enough
people opened it makes it less severe, and no less of an alarm.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.times import text
from custody.model.verdicts import Basis, Severity, Verdict, violated
from custody.rules.break_glass_open import ONLINE
from custody.rules.breaking_glass import GLASS, WHO
from custody.rules.rule import Rule

ENOUGH = 2
"""So many people have to open one."""

FACTS = f"""
    {GLASS} {ONLINE}
    SELECT u.glass AS subject, {WHO} AS who, c.key AS key, u.first, u.leaf, coalesce(c.successes, 0) AS successes,
           coalesce(o.people, 0) AS people, o.leaf AS opened_leaf,
           FALSE AS online
    FROM used u
    LEFT JOIN calls c ON c.glass = u.glass
    LEFT JOIN opened o ON o.glass = u.glass
    UNION ALL
    SELECT u.glass, {WHO}, u.key, u.first, u.leaf, (
               SELECT count(*) FROM parts p
               WHERE p.key = u.key AND p.stage = 'use' AND p.outcome = 'success' AND p.time >= u.first
                 AND NOT p.extra AND NOT p.in_conflict),
           CASE WHEN y.approved_leaf IS NULL THEN 1 ELSE 2 END, y.approved_leaf, TRUE
    FROM online u
    LEFT JOIN answered y ON y.glass = u.glass
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: a break-glass credential with a use, or (``online``) that a broker gave.

    ``people`` opened it, or asked for it and approved it afterwards.
    """

    subject: str
    who: str
    key: str | None
    first: int
    leaf: int
    successes: int
    people: int
    opened_leaf: int | None
    online: bool = False


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Violated: it was made not to be used."""
    calls = f"; {row.successes} call(s) of it succeeded" if row.successes else ""
    if row.online:
        by = (
            "a second one approved it afterwards"
            if row.people >= ENOUGH
            else "nobody else is on record as approving it"
        )
        begun = f"given at {text(row.first)} without approval"
    else:
        by, begun = _openers(row), f"used first at {text(row.first)}"
    leaves = (row.leaf, *(() if row.opened_leaf is None else (row.opened_leaf,)))
    found = violated(f"{begun}{calls}; {by}", Basis.OBSERVED, *leaves)
    if row.people < ENOUGH:
        return found
    return msgspec.structs.replace(found, severity=Severity.MEDIUM)


def _openers(row: Row) -> str:
    return f"{row.people} people opened it before" if row.people else "nobody is on record as opening it before"


RULE = Rule(
    id="break-glass-used",
    title="break-glass used",
    question=None,
    severity=Severity.HIGH,
    why="What goes past every check is for an emergency, and somebody has to know that there is one.",
    action="Ask those who opened it what for; follow what was done with it; rotate and review it.",
    fix="",
    controls=("NHI10:2025", "AC-2", "IR-4", "DE.CM-03"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
