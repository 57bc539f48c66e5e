"""Is the issuance of the credential on record, and if not, is there an explanation?"""

import msgspec

from custody.model.contracts import Contract
from custody.model.verdicts import Basis, Best, Question, Severity, Verdict, indicated, proved, unproven
from custody.rules.rule import MACHINES_AND_UNKNOWN, Rule
from custody.rules.settling import Settles, issuer_log


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    issue_leaf: int | None
    issue_disputed: bool
    unissued_class: str | None
    unissued_evidence: str | None
    first_use_leaf: int | None
    uses: int
    key: str


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Proved by the issuing record; an unexplained key is worth acting on, though no record can be its proof."""
    if row.issue_leaf is not None:
        if row.issue_disputed:
            return unproven("the issuing record is in conflict", Best.NOTHING, row.issue_leaf)
        return proved("issued by a recorded call", Basis.OBSERVED, row.issue_leaf)
    leaves = () if row.first_use_leaf is None else (row.first_use_leaf,)
    if row.unissued_class == "unexplained":
        return indicated(
            f"used {'once' if row.uses == 1 else f'{row.uses} times'}, and {row.unissued_evidence}",
            Severity.MEDIUM,
            *leaves,
            settles=issuer_log(row.key),
        )
    settles = Settles.OLDER if row.key.startswith("aws_akid:") else issuer_log(row.key)
    return unproven(f"{row.unissued_class}: {row.unissued_evidence}", Best.NOTHING, *leaves, settles=settles)


RULE = Rule(
    id="no-known-issuance",
    title="no known issuance",
    question=Question.ISSUANCE,
    severity=Severity.MEDIUM,
    why="A key that nothing issued is the strongest sign of a blind spot or a compromise.",
    action="Find the issuer: another account or region, a disabled trail, or an intruder.",
    fix="the logs of every account and region that can issue",
    controls=("NHI2:2025", "DE.CM-03", "AU-12", "CC7.2"),
    row=Row,
    judge=judge,
    populations=MACHINES_AND_UNKNOWN,
)
