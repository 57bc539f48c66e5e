"""An identity of machines of which purpose, owner, privileges or lifecycle is not known, though a register is kept.

Without any sealed document this says nothing: coverage tells it. What an inventory merely lists, and no document and no
credential knows, is shown in the register and is no finding.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.verdicts import Severity, Verdict, indicated
from custody.rules.rule import Rule

FACTS = """
    SELECT g.identity AS subject, g.identity AS who, CAST(NULL AS VARCHAR) AS key, g.owner, g.purpose, g.privileges,
           g.lifecycle, g.declared, g.leaf
    FROM gaps g
    WHERE (g.declared OR (g.population = 'machine' AND g.credentials > 0))
      AND NOT (g.owner AND g.purpose AND g.privileges AND g.lifecycle)
      AND EXISTS (SELECT 1 FROM register_documents d WHERE d.identities > 0)
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one identity, and what of the four is known."""

    subject: str
    who: str
    key: str | None
    owner: bool
    purpose: bool
    privileges: bool
    lifecycle: bool
    declared: bool
    leaf: int | None


def judge(row: Row, contract: Contract) -> Verdict | None:  # noqa: ARG001  # the signature of every rule
    """Indicated: what nobody wrote down may still be known to somebody."""
    known = {"owner": row.owner, "purpose": row.purpose, "privileges": row.privileges, "lifecycle": row.lifecycle}
    missing = [name for name, there in known.items() if not there]
    if not missing:
        return None
    where = "its entry in the register" if row.declared else "no register document names it;"
    told = f"{where} lacks {_joined(missing)}" if row.declared else f"{where} {_joined(missing)} not known"
    severity = Severity.LOW if row.owner else Severity.MEDIUM
    return indicated(told, severity, *(() if row.leaf is None else (row.leaf,)))


def _joined(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


RULE = Rule(
    id="register-incomplete",
    title="identity not fully registered",
    question=None,
    severity=Severity.MEDIUM,
    why="Without owner, purpose, privileges and lifecycle nobody can say whether its access is justified.",
    action="Complete its entry: `custody register export` writes what is known, `import` seals what you add.",
    fix="",
    controls=("NHI1:2025", "AC-2", "ID.AM-08", "ISO27001 A.5.9"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
