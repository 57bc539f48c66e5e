"""A name that documents in force give to two identities: what goes by it belongs to neither for sure."""

import msgspec

from custody.model.contracts import Contract
from custody.model.verdicts import Severity, Verdict, indicated
from custody.rules.rule import Rule

FACTS = """
    SELECT name AS subject, name AS who, CAST(NULL AS VARCHAR) AS key,
           array_sort(array_agg(said)) AS said, array_sort(array_agg(leaf)) AS leaves
    FROM (
        SELECT d.name, concat(d.identity, ' in register ', d.document) AS said, min(d.leaf) AS leaf,
               count(*) OVER (PARTITION BY d.name) AS documents, min(d.identity) OVER (PARTITION BY d.name) AS least,
               max(d.identity) OVER (PARTITION BY d.name) AS greatest
        FROM declared_names d
        WHERE d.superseded_at IS NULL
        GROUP BY d.name, d.identity, d.document
    ) named
    WHERE least <> greatest
    GROUP BY name
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one name, and the identities that claim it."""

    subject: str
    who: str
    key: str | None
    said: list[str]
    leaves: list[int]


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Indicated: which identity the name belongs to no record shows."""
    return indicated(f"the name of {' and of '.join(row.said)}", Severity.MEDIUM, *row.leaves)


RULE = Rule(
    id="name-of-two-identities",
    title="one name declared for two identities",
    question=None,
    severity=Severity.MEDIUM,
    why="What is done under that name is done by two on paper, and each can say it was the other.",
    action="Let one document keep the name; the identity that had it first has it meanwhile.",
    fix="",
    controls=("NHI1:2025", "IA-4", "AC-2", "ISO27001 A.5.16"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
