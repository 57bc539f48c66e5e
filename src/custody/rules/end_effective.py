"""Did access really end: no success after the end, no session surviving?"""

import msgspec

from custody.chains.credentials import PROPAGATION
from custody.model.contracts import Contract
from custody.model.effects import said
from custody.model.times import text as moment
from custody.model.verdicts import Basis, Best, Question, Severity, Verdict, open_until, proved, unproven, violated
from custody.rules.rule import MACHINES_AND_UNKNOWN, Rule

SECOND = 1_000_000


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
    late_disputed: int
    last_success: int | None
    end_time: int | None
    issue_disputed: bool
    use_disputed: bool
    as_of: int
    surviving_sessions: int
    surviving_open_leaf: int | None
    surviving_close_leaf: int | None
    surviving_closed: int | None


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Issuer-enforced at best: nothing here knows that a silent log is complete."""
    issued = None if row.issue_disputed else row.issue_leaf
    cited = tuple(leaf for leaf in (issued, row.end_leaf) if leaf is not None)
    if row.late_uses:
        text = f"{_calls(row.late_uses)} after the end"
        return violated(text, Basis.OBSERVED, *(row.late_leaves or []), *cited, count=row.late_uses + len(cited))
    if row.surviving_sessions and not row.end_disputed and not row.issue_disputed:
        return _survived(row, cited)
    if row.late_disputed:
        text = f"{_calls(row.late_disputed)} after the end, told by records in conflict alone"
        return unproven(text, Best.INDICATED, *cited)
    if row.issue_disputed or row.use_disputed:
        what = "the issuing record" if row.issue_disputed else "a record of a use"
        return unproven(f"{what} is in conflict", Best.NOTHING, *cited)
    if row.end_leaf is not None and row.end_until is None:
        text = f"{said(row.end_effect)}, and {_later(row.last_success, row.end_time)}"
        return proved(text, Basis.ISSUER_ENFORCED, *cited)
    if row.not_after is not None and row.not_after < row.as_of:
        return proved(f"expired, and {_later(row.last_success, row.not_after)}", Basis.ISSUER_ENFORCED, *cited)
    if row.end_disputed:
        return unproven("a record that would end it is in conflict", Best.NOTHING, *cited)
    if row.issue_leaf is None:
        return unproven("no issuance is recorded, so no end is known", settles="the log of the issuing account")
    return open_until("alive", row.not_after, *cited)


def _survived(row: Row, cited: tuple[int, ...]) -> Verdict:
    sessions = (leaf for leaf in (row.surviving_open_leaf, row.surviving_close_leaf) if leaf is not None)
    what = "a session was" if row.surviving_sessions == 1 else f"{row.surviving_sessions} sessions were"
    text = f"{what} open after the end, until {moment(row.surviving_closed)}"
    return violated(text, Basis.OBSERVED, *cited, *sessions)


def _later(last: int | None, end: int | None) -> str:
    """What was seen of successes after the end, of those that are no violation."""
    if last is None or end is None or last <= end:
        return "no later success was seen"
    if last - end <= PROPAGATION:
        return f"the last success came {(last - end) // SECOND} s after, within propagation"
    return "what succeeded later was a service's call on its behalf, or needs no right"


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
    covered_by="used-after-end",
)
