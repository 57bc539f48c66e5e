"""Did access really end: no success after the end, no session surviving?"""

import re

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
    ), prompt AS (
        SELECT e.key AS key, count(DISTINCT p.leaf) AS prompt_uses, min(p.leaf) AS prompt_leaf
        FROM sound_ends e
        JOIN parts p
          ON p.key = e.key AND p.source = e.source AND p.time > e.time AND (e.until IS NULL OR p.time < e.until)
        WHERE e.source = 'postgresql' AND p.stage = 'use' AND p.outcome = 'success' AND p.invoked_by IS NULL
          AND NOT p.in_conflict
        GROUP BY e.key
    ), verifier AS (
        SELECT max(time) AS verifier_until FROM parts WHERE source = 'postgresql'
    )
    SELECT c.key AS key, x.closed_until, x.closed_regions, coalesce(o.open_sessions, 0) AS open_sessions,
           o.open_leaf, v.verifier_until, coalesce(u.prompt_uses, 0) AS prompt_uses, u.prompt_leaf
    FROM credentials c
    LEFT JOIN closed x ON x.key = c.key
    LEFT JOIN open o ON o.key = c.key
    LEFT JOIN prompt u ON u.key = c.key
    CROSS JOIN verifier v
    WHERE x.key IS NOT NULL OR o.key IS NOT NULL OR c.key LIKE 'db_role%' OR c.key LIKE 'vault_lease:%'
"""
"""Until when CloudTrail is known to be whole from the end on, in the regions that have digests; sessions that were open
at the end and were not seen to close; how far the log of the server was read that checks database roles; and what
succeeded after an end that this server itself recorded, in one log by one clock: there an end takes no time."""

CHECKED_ELSEWHERE = ("db_role:", "db_role_hmac:", "vault_lease:")
"""Keys that Vault issues and ends, and another server checks: that Vault revoked one is no word of that server."""


BOUND = ("pod.delete", "principal.delete")
"""Ends of what a token is bound to: its server refuses it from then on. Whoever does not ask the server goes on."""

SERVER = re.compile(r"https://kubernetes\.default(\.svc(\.[a-z0-9.-]+)?)?")
"""The audience that an API server has of its own: its name inside of the cluster."""


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
    prompt_uses: int | None
    prompt_leaf: int | None
    tags: str | None
    key: str


class _Asked(msgspec.Struct, frozen=True):
    """What a token was asked for; where the lifetime stands, the whole request was read."""

    audiences: list[str] = []
    expiration_seconds: int | None = None


_ASKED = msgspec.json.Decoder(_Asked)


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Issuer-enforced at best: nothing here knows that a silent log is complete."""
    issued = None if row.issue_disputed else row.issue_leaf
    cited = tuple(leaf for leaf in (issued, row.end_leaf) if leaf is not None)
    if row.late_uses or row.prompt_uses:
        return _used(row, cited)
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


def _used(row: Row, cited: tuple[int, ...]) -> Verdict:
    uses = max(row.late_uses, row.prompt_uses or 0)
    leaves = (*(row.late_leaves or []), *(() if row.prompt_leaf is None else (row.prompt_leaf,)), *cited)
    text = f"{_calls(uses)} after the end"
    if of_many_servers(row.key, row.end_effect):
        return indicated(f"{text}; {SAME_NAME}", Severity.MEDIUM, *leaves)
    return violated(text, Basis.OBSERVED, *leaves, count=uses + len(cited))


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
    if row.end_effect in BOUND and end == row.end_time and not checked_by_issuer(row.key, row.tags):
        expired = row.not_after is not None and row.not_after < row.as_of
        if not expired:
            held = f"{what}, and whoever checks the token without asking the server may take it until it expires"
            return unproven(held, Best.INDICATED, *cited)
        what, end = f"{what}, and expired since", row.not_after
    text = f"{what}, and {_later(row.last_success, end)}"
    if row.closed_until is None or (row.last_success or 0) > (end or 0):
        return proved(text, Basis.ISSUER_ENFORCED, *cited)
    where = "1 region" if row.closed_regions == 1 else f"{row.closed_regions} regions"
    scope = f"; its account's management events in the {where} with digests are whole until {moment(row.closed_until)}"
    return proved(text + scope, Basis.ISSUER_ENFORCED, *cited)


def checked_by_issuer(key: str, tags: str | None) -> bool:
    """Whether nobody but the server that ended a token checks it: it was issued for that server alone.

    Of a token for others that is not known: a cloud, or who verifies it by its signature, never asks. ``tags`` are
    those of its issue. Keys of other kinds are checked where they end, as far as this rule goes.
    """
    if not key.startswith("k8s_cred:"):
        return True
    try:
        asked = _ASKED.decode(tags or "{}")
    except msgspec.MsgspecError:
        return False
    if not asked.audiences:
        return asked.expiration_seconds is not None
    return all(SERVER.fullmatch(each) for each in asked.audiences)


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
