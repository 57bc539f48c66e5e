"""Was the credential used only while it was good?"""

import msgspec

from custody.model.contracts import Contract
from custody.model.effects import said
from custody.model.verdicts import Basis, Best, Question, Severity, Verdict, indicated, unproven, violated
from custody.rules.rule import ISSUED_HERE, Rule
from custody.rules.settling import Settles
from custody.rules.shared_names import SAME_NAME, of_many_servers


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    issue_leaf: int | None
    uses: int
    end_effect: str | None
    end_leaf: int | None
    end_time: int | None
    late_uses: int
    late_first: int | None
    late_leaves: list[int] | None
    late_disputed: int
    end_disputed: bool
    issue_disputed: bool
    use_disputed: bool
    run_ended: int | None
    run_end_leaf: int | None
    run_late_uses: int
    run_late_leaves: list[int] | None
    key: str


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Violated by a success after the end; scope and dependencies are not judged yet, so never proved."""
    if row.late_uses and row.late_first is not None:
        cited = [*(row.late_leaves or []), *(leaf for leaf in (row.end_leaf,) if leaf is not None)]
        ended = row.end_time is not None and row.late_first > row.end_time
        text = f"{_calls(row.late_uses)} after {said(row.end_effect) if ended else 'expiry'}"
        if of_many_servers(row.key, row.end_effect if ended else None):
            return indicated(f"{text}; {SAME_NAME}", Severity.MEDIUM, *cited)
        return violated(text, Basis.OBSERVED, *cited, count=row.late_uses + (row.end_leaf is not None))
    if row.run_late_uses and row.run_end_leaf is not None:
        return indicated(
            f"{_calls(row.run_late_uses)} after the run that it was issued to had ended",
            Severity.MEDIUM,
            row.run_end_leaf,
            *(row.run_late_leaves or []),
            settles=Settles.SCOPE,
            title="used after its run ended",
        )
    if not row.uses:
        return unproven("no use was seen; that none happened is not known", settles=Settles.COMPLETE)
    if (doubt := _doubt(row)) is not None:
        return doubt
    return unproven(
        "every use seen was while it was good; scope and dependencies are not judged yet",
        Best.INDICATED,
        settles=Settles.SCOPE,
    )


def _doubt(row: Row) -> Verdict | None:
    """What keeps a record in conflict from letting it be said that every use was in time."""
    if row.late_disputed:
        text = f"{_calls(row.late_disputed)} after its end or expiry, told by records in conflict alone"
        return unproven(text, Best.INDICATED)
    disputed = {
        "the issuing record": row.issue_disputed,
        "a record that would end it": row.end_disputed,
        "a record of a use": row.use_disputed,
    }
    what = next((name for name, found in disputed.items() if found), None)
    return None if what is None else unproven(f"{what} is in conflict")


def _calls(number: int) -> str:
    return "1 successful call" if number == 1 else f"{number} successful calls"


RULE = Rule(
    id="used-after-end",
    title="used after its end",
    question=Question.WITHIN,
    severity=Severity.HIGH,
    why="A credential that works after its end was never revoked, whatever the ticket says.",
    action="Find out why it still worked; revoke the sessions of the principal and look at what it did.",
    fix="declared scope and dependencies",
    controls=("NHI1:2025", "ASI10", "AC-12", "CC6.3"),
    row=Row,
    judge=judge,
    populations=ISSUED_HERE,
)
