"""Is the end of the credential on record?"""

import msgspec

from custody.model.contracts import Contract
from custody.model.effects import said
from custody.model.verdicts import Basis, Best, Question, Severity, Verdict, open_until, proved, unproven
from custody.rules.rule import MACHINES_AND_UNKNOWN, Rule
from custody.rules.settling import issuer_log

OBSERVED = ("credential.expire", "credential.drop")
"""Ends that their own server recorded as done, not as asked for."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    issue_leaf: int | None
    not_after: int | None
    end_effect: str | None
    end_leaf: int | None
    end_until: int | None
    end_disputed: bool
    issue_disputed: bool
    key: str
    as_of: int


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Issuer-enforced where a record ends it or its expiry has passed: the end itself is not observed; else open."""
    cited = () if row.issue_leaf is None else (row.issue_leaf,)
    if row.issue_disputed:
        return unproven("the issuing record is in conflict", Best.NOTHING, *cited)
    if row.end_leaf is not None and row.end_until is None:
        basis = Basis.OBSERVED if row.end_effect in OBSERVED else Basis.ISSUER_ENFORCED
        return proved(said(row.end_effect), basis, *cited, row.end_leaf)
    if row.not_after is not None and row.not_after < row.as_of:
        return proved("expired, as the issuer stated at issue", Basis.ISSUER_ENFORCED, *cited)
    if row.end_disputed:
        return unproven("a record that would end it is in conflict", Best.NOTHING, *cited)
    if row.not_after is not None:
        return open_until("alive until it expires", row.not_after, *cited)
    if row.issue_leaf is None:
        return unproven("no issuance is recorded, so no expiry is known", settles=issuer_log(row.key))
    return open_until("alive: long-lived, and no end was seen", None, *cited)


RULE = Rule(
    id="end-recorded",
    title="end recorded",
    question=Question.END_RECORDED,
    severity=Severity.MEDIUM,
    why="Access that nobody can show to have ended has to be treated as alive.",
    action="End it, or collect the log that ended it.",
    fix="credentials with an expiry",
    controls=("NHI1:2025", "AC-2", "AC-12", "CC6.3"),
    row=Row,
    judge=judge,
    populations=MACHINES_AND_UNKNOWN,
)
