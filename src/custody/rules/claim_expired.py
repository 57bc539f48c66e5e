"""Ownership, purpose or an exception that ran out, and nobody renewed it."""

import msgspec

from custody.model.contracts import Contract
from custody.model.times import until_text
from custody.model.verdicts import Severity, Verdict, indicated
from custody.rules.rule import Rule

SECOND = 1_000_000

FACTS = """
    SELECT c.identity AS subject, c.identity AS who, CAST(NULL AS VARCHAR) AS key,
           array_sort(array_agg(concat(c.field, chr(0), c.value))) AS claims, min(c.expires) AS expires,
           array_sort(array_agg(c.leaf)) AS leaves
    FROM claims c
    WHERE c.state = 'expired' AND c.said_by LIKE 'register:%' AND c.field IN ('owner', 'purpose', 'exception')
      AND NOT EXISTS (
          SELECT 1 FROM claims h
          WHERE h.identity = c.identity AND h.field = c.field AND h.state = 'held' AND h.said_by LIKE 'register:%')
    GROUP BY c.identity
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one identity, and its claims that ran out."""

    subject: str
    who: str
    key: str | None
    claims: list[str]
    expires: int
    leaves: list[int]


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Indicated, and loud: the end was announced from the beginning."""
    told = [_told(*claim.split(chr(0), 1)) for claim in row.claims]
    first = "" if len(told) == 1 else ", the first"
    last = until_text(row.expires // SECOND * SECOND)
    return indicated(f"{', '.join(told)} ran out{first} on {last}", Severity.HIGH, *row.leaves)


def _told(field: str, value: str) -> str:
    match field:
        case "exception":
            return f"the exception that {value} answers for"
        case "owner":
            return f"the ownership of {value}"
    return f"its purpose ({value})"


RULE = Rule(
    id="claim-expired",
    title="ownership, purpose or exception ran out",
    question=None,
    severity=Severity.HIGH,
    why="After its end a claim is nobody's word: the access goes on, and nobody stands for it.",
    action="Let the owner renew the entry and sign it, or end the identity.",
    fix="",
    controls=("NHI1:2025", "NHI7:2025", "AC-2(3)", "PR.AA-01", "ISO27001 A.5.18"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
