"""Did access really end: no success after the end, no session surviving?"""

import msgspec

from custody.chains.effects import said
from custody.model.contracts import Contract
from custody.model.verdicts import Basis, Best, Question, Severity, Verdict, open_until, proved, unproven, violated
from custody.rules.rule import MACHINES_AND_UNKNOWN, Rule


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    issue_leaf: int | None
    not_after: int | None
    end_effect: str | None
    end_leaf: int | None
    end_until: int | None
    end_disputed: bool
    late_uses: int
    late_leaves: list[int] | None
    conflicted: bool
    as_of: int


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Issuer-enforced at best: nothing here knows that a silent log is complete."""
    cited = tuple(leaf for leaf in (row.issue_leaf, row.end_leaf) if leaf is not None)
    if row.conflicted:
        return unproven("a record of this key is in conflict", Best.NOTHING, *cited)
    if row.late_uses:
        text = f"{_calls(row.late_uses)} after the end"
        return violated(text, Basis.OBSERVED, *(row.late_leaves or []), *cited, count=row.late_uses + len(cited))
    if row.end_leaf is not None and row.end_until is None:
        return proved(f"{said(row.end_effect)}, and no later success was seen", Basis.ISSUER_ENFORCED, *cited)
    if row.not_after is not None and row.not_after < row.as_of:
        return proved("expired, and no later success was seen", Basis.ISSUER_ENFORCED, *cited)
    if row.end_disputed:
        return unproven("a record that would end it is in conflict", Best.NOTHING, *cited)
    if row.issue_leaf is None:
        return unproven("no issuance is recorded, so no end is known", settles="the log of the issuing account")
    return open_until("alive", row.not_after, *cited)


def _calls(number: int) -> str:
    return "1 successful call" if number == 1 else f"{number} successful calls"


RULE = Rule(
    id="end-effective",
    title="end without effect",
    question=Question.END_EFFECTIVE,
    severity=Severity.HIGH,
    why="Revoked in one log is not dead in another.",
    action="End it again by a way that is verified, and look at what it did in between.",
    fix="a source that is known to be complete after the end",
    controls=("NHI1:2025", "ASI10", "AC-12", "IR-4"),
    row=Row,
    judge=judge,
    populations=MACHINES_AND_UNKNOWN,
)
