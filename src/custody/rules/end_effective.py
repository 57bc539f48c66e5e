"""Did access really end: no success after the end, no session surviving?"""

import msgspec

from custody.chains.credentials import PROPAGATION
from custody.model.contracts import Contract
from custody.model.effects import said
from custody.model.times import text as moment
from custody.model.verdicts import (
    Basis,
    Best,
    Question,
    Severity,
    Verdict,
    indicated,
    open_until,
    proved,
    unproven,
    violated,
)
from custody.rules.rule import MACHINES_AND_UNKNOWN, Rule
from custody.rules.settling import Settles, issuer_log
from custody.rules.shared_names import SAME_NAME, of_many_servers

SECOND = 1_000_000

FACTS = """
    WITH closed AS (
        SELECT c.key AS key, min(w.until) AS closed_until, count(*) AS closed_regions
        FROM credentials c
        JOIN digest_regions r ON r.account = c.account
        LEFT JOIN whole_periods w
          ON w.source = 'aws.cloudtrail' AND w.account = r.account AND w.region = r.region
         AND w.since <= coalesce(c.end_time, c.not_after) AND w.until > coalesce(c.end_time, c.not_after)
        WHERE c.key LIKE 'aws_akid:%' AND coalesce(c.end_time, c.not_after) IS NOT NULL
        GROUP BY c.key
        HAVING count(*) = count(w.until)
    ), open AS (
        SELECT s.key AS key, count(*) AS open_sessions, min(s.open_leaf) AS open_leaf
        FROM sessions s
        JOIN credentials c ON c.key = s.key
        WHERE s.closed IS NULL AND s.opened <= coalesce(c.end_time, c.not_after)
        GROUP BY s.key
    ), verifier AS (
        SELECT max(time) AS verifier_until FROM parts WHERE source = 'postgresql'
    )
    SELECT c.key AS key, x.closed_until, x.closed_regions, coalesce(o.open_sessions, 0) AS open_sessions,
           o.open_leaf, v.verifier_until
    FROM credentials c
    LEFT JOIN closed x ON x.key = c.key
    LEFT JOIN open o ON o.key = c.key
    CROSS JOIN verifier v
    WHERE x.key IS NOT NULL OR o.key IS NOT NULL OR c.key LIKE 'db_role%' OR c.key LIKE 'vault_lease:%'
"""
"""Until when CloudTrail is known to be whole from the end on, in the regions that have digests; sessions that were open
at the end and were not seen to close; and how far the log of the server was read that checks database roles."""

CHECKED_ELSEWHERE = ("db_role:", "db_role_hmac:", "vault_lease:")
"""Keys that Vault issues and ends, and another server checks: that Vault revoked one is no word of that server."""


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
    closed_until: int | None
    closed_regions: int | None
    open_sessions: int | None
    open_leaf: int | None
    verifier_until: int | None
    key: str


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Issuer-enforced at best: nothing here knows that a silent log is complete."""
    issued = None if row.issue_disputed else row.issue_leaf
    cited = tuple(leaf for leaf in (issued, row.end_leaf) if leaf is not None)
    if row.late_uses:
        text = f"{_calls(row.late_uses)} after the end"
        if of_many_servers(row.key, row.end_effect):
            return indicated(f"{text}; {SAME_NAME}", Severity.MEDIUM, *(row.late_leaves or []), *cited)
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
        return _over(said(row.end_effect), row.end_time, row, cited)
    if row.not_after is not None and row.not_after < row.as_of:
        return _over("expired", row.not_after, row, cited)
    if row.end_disputed:
        return unproven("a record that would end it is in conflict", Best.NOTHING, *cited)
    if row.issue_leaf is None:
        return unproven("no issuance is recorded, so no end is known", settles=issuer_log(row.key))
    return open_until("alive", row.not_after, *cited)


def _survived(row: Row, cited: tuple[int, ...]) -> Verdict:
    sessions = (leaf for leaf in (row.surviving_open_leaf, row.surviving_close_leaf) if leaf is not None)
    what = "a session was" if row.surviving_sessions == 1 else f"{row.surviving_sessions} sessions were"
    text = f"{what} open after the end, until {moment(row.surviving_closed)}"
    return violated(text, Basis.OBSERVED, *cited, *sessions)


def _over(what: str, end: int | None, row: Row, cited: tuple[int, ...]) -> Verdict:
    """As the issuer documents it. Signed digests are named, and prove no more: which regions there are is not known."""
    if row.last_success is not None and end is not None and row.last_success > end and not _aws(row):
        late = f"{what}, and a success came {(row.last_success - end) / SECOND:.1f} s after"
        return unproven(f"{late}: a check that was made before may be remembered that long", Best.INDICATED, *cited)
    if row.open_sessions:
        opened = () if row.open_leaf is None else (row.open_leaf,)
        return unproven(
            f"{what}, and a session that was open then was not seen to close", Best.INDICATED, *cited, *opened
        )
    if row.key.startswith(CHECKED_ELSEWHERE) and (end is None or (row.verifier_until or 0) < end):
        unread = f"{what}, and the log of the server that checks it was not read until then"
        return unproven(unread, Best.INDICATED, *cited, settles=Settles.DATABASE_ROLE)
    text = f"{what}, and {_later(row.last_success, end)}"
    if row.closed_until is None or (row.last_success or 0) > (end or 0):
        return proved(text, Basis.ISSUER_ENFORCED, *cited)
    where = "1 region" if row.closed_regions == 1 else f"{row.closed_regions} regions"
    scope = f"; its account's management events in the {where} with digests are whole until {moment(row.closed_until)}"
    return proved(text + scope, Basis.ISSUER_ENFORCED, *cited)


def _aws(row: Row) -> bool:
    return row.key.startswith("aws_akid:")


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
    facts=FACTS,
    populations=MACHINES_AND_UNKNOWN,
    covered_by="used-after-end",
)
