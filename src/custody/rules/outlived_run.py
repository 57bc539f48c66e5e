"""Credentials that outlive the task that they were made for.

A credential is of a run where its issuer bound it to the run, or its client said so (the name of a session): the text
says which. A run's own span may also name a call that was made with a long-lived key: that is told, and no more.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.events import Asserter
from custody.model.times import duration, text
from custody.model.verdicts import Severity, Verdict, indicated
from custody.rules.rule import Rule
from custody.rules.settling import Settles

HOUR = 3_600_000_000
GRACE = HOUR
"""Clean-up comes after the run, and most logs deliver within this (µs): before, a missing end says nothing."""
TOO_LONG = 12 * HOUR
"""What a platform may still leave to an ended run (µs): AWS gives role sessions at most 12 h."""
SHORT = 24 * HOUR
"""A run up to this long (µs) is short-lived."""
RUNS = ("k8s_pod:", "github_run:", "github_job:", "ci_run:", "aws_invocation:", "agent_task:")
"""Runs that are short-lived by kind; an instance or a function may be held for good."""

TOLD = "told"

_SHORT_KINDS = " OR ".join(f"r.run LIKE '{kind}%'" for kind in RUNS)

FACTS = f"""
    WITH endless AS (
        SELECT i.key FROM issues i
        WHERE i.not_after IS NULL AND (i.method = 'CreateAccessKey' OR i.method LIKE 'CREATE %')
        UNION
        SELECT u.key FROM uses u
        WHERE u.key LIKE 'aws_akid:%' AND u.principal_kind = 'IAMUser' AND u.created IS NULL AND NOT u.console
          AND NOT EXISTS (SELECT 1 FROM issues i WHERE i.key = u.key)
    ), bound AS (
        SELECT j.key, 'bound' AS how, j.run, j.run_asserter AS asserter, j.run_ended, j.issue_leaf AS leaf,
               j.run_end_leaf AS other_leaf
        FROM judged j
        WHERE j.run_grade = 'exact' AND j.run_ended IS NOT NULL AND j.issued AND NOT j.issue_disputed
          AND NOT j.chain_disputed AND NOT j.end_disputed
          AND (j.key IN (SELECT e.key FROM endless e) OR j.not_after > j.run_ended + {TOO_LONG})
    ), told AS (
        SELECT s.to_key AS key, 'told' AS how, r.run, 'self-reported' AS asserter, r.ended AS run_ended,
               s.leaf, s.span_leaf AS other_leaf,
               row_number() OVER (PARTITION BY s.to_key ORDER BY r.ended, r.run) AS position
        FROM join_span_request s
        JOIN runs r ON r.run = s.from_key AND r.ended IS NOT NULL
        WHERE s.to_key IN (SELECT e.key FROM endless e) AND ({_SHORT_KINDS})
          AND r.ended - coalesce(r.started, r.ended) <= {SHORT}
    ), every AS (
        SELECT key, how, run, asserter, run_ended, leaf, other_leaf FROM bound
        UNION ALL
        SELECT t.key, t.how, t.run, t.asserter, t.run_ended, t.leaf, t.other_leaf FROM told t
        WHERE t.position = 1 AND NOT EXISTS (SELECT 1 FROM bound b WHERE b.key = t.key)
    )
    SELECT j.key AS subject, j.who, j.key, e.how, e.run, e.asserter, e.run_ended, j.not_after, j.end_time, j.end_leaf,
           j.end_until, j.as_of, e.leaf, e.other_leaf, n.key IS NOT NULL AS endless
    FROM every e
    JOIN judged j ON j.key = e.key
    LEFT JOIN endless n ON n.key = e.key
    WHERE j.population IN ('machine', 'unknown')
"""
"""One row a credential. Only an access key and a database role are known to have no expiry where none is recorded: of
others the record may just not say it."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one credential beside a run that ended."""

    subject: str
    who: str
    key: str
    how: str
    run: str
    asserter: str
    run_ended: int
    not_after: int | None
    end_time: int | None
    end_leaf: int | None
    end_until: int | None
    as_of: int
    leaf: int | None
    other_leaf: int | None
    endless: bool


def judge(row: Row, contract: Contract) -> Verdict | None:  # noqa: ARG001  # the signature of every rule
    """Indicated: that no end was seen is an absence. Nothing is said while an end may still come or be delivered."""
    if row.how == TOLD:
        return _told(row)
    if row.as_of <= row.run_ended + GRACE:
        return None
    ended = row.end_time if row.end_until is None else None
    if row.endless:
        return _endless(row, ended)
    if row.not_after is None or ended is not None or row.not_after <= row.run_ended + TOO_LONG:
        return None
    left = duration(row.not_after - row.run_ended)
    what = f"no end of it was seen, and it stays valid until {text(row.not_after)}, {left} after {_run(row)} ended"
    return _indicated(row, f"{what}; {_whose(row)}", Severity.LOW, "outlives its run")


def _endless(row: Row, ended: int | None) -> Verdict | None:
    if ended is not None and ended <= row.run_ended + GRACE:
        return None
    after = "no end of it was seen" if ended is None else f"it was ended {duration(ended - row.run_ended)} after"
    what = f"it has no expiry, and {_run(row)} ended at {text(row.run_ended)}: {after}; {_whose(row)}"
    title = "long-lived secret in a short-lived run" if row.run.startswith(RUNS) else "never expires, and its run ended"
    return _indicated(row, what, Severity.MEDIUM, title)


def _told(row: Row) -> Verdict:
    what = f"it has no expiry, and a span of {_run(row)} names a call that was made with it: the run's own word"
    return _indicated(row, what, Severity.MEDIUM, "long-lived key used by a short-lived run")


def _whose(row: Row) -> str:
    return "its issuer bound it to the run" if row.asserter == Asserter.ISSUER else "its client named the run"


def _run(row: Row) -> str:
    return f"run {row.run.split(':', 2)[-1]}"


def _indicated(row: Row, told: str, severity: Severity, title: str) -> Verdict:
    leaves = (leaf for leaf in (row.leaf, row.other_leaf, row.end_leaf) if leaf is not None)
    return indicated(told, severity, *leaves, settles=Settles.COMPLETE, title=title)


RULE = Rule(
    id="outlives-run",
    title="outlives its run",
    question=None,
    severity=Severity.MEDIUM,
    why="What is still good when its task is over waits for whoever finds it.",
    action="End it with the run; give the run a credential that expires with it in the place of a stored one.",
    fix="",
    controls=("NHI1:2025", "NHI7:2025", "ASI03", "AC-2(3)", "PR.AA-01"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
