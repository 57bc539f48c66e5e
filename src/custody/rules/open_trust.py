"""Can more take a role on than should: anybody, any subject of a provider of tokens, subjects like a pattern?

The trust policy says who may; whether a condition that is not looked at keeps them out is not known: indicated.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.verdicts import Severity, Verdict, indicated
from custody.rules.packed import named
from custody.rules.rule import Rule

FACTS = f"""
    SELECT f.principal AS subject, {named("f.principal")} AS who, CAST(NULL AS VARCHAR) AS key, f.trust, f.trust_grave,
           f.trust_leaf
    FROM privilege_facts f
    WHERE f.trust IS NOT NULL AND f.population = 'machine'
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one role as it stands at the end of the records."""

    subject: str
    who: str
    key: str | None
    trust: str
    trust_grave: bool
    trust_leaf: int | None


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Indicated: medium where strangers fit, low where it is only a pattern."""
    severity = Severity.MEDIUM if row.trust_grave else Severity.LOW
    return indicated(row.trust, severity, *(() if row.trust_leaf is None else (row.trust_leaf,)))


RULE = Rule(
    id="open-trust",
    title="more may take the role on than one workload",
    question=None,
    severity=Severity.MEDIUM,
    why="A provider gives tokens to all its customers: the subject alone says which of them may come in.",
    action="Name the subject and the audience exactly in the trust policy.",
    fix="",
    controls=("NHI6:2025", "NHI9:2025", "PR.AA-05", "AC-3", "CC6.1"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
