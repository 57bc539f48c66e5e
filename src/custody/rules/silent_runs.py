"""Runs without any credential, of workloads whose other runs have some: their telemetry may be missing.

A run counts only where a credential of it would have been read: inside the period of every log that issued to the other
runs. A workload most of whose runs have no credential says nothing (a pipeline that deploys on one branch alone).
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.verdicts import Severity, Verdict, indicated
from custody.rules.rule import Rule
from custody.rules.settling import Settles

MARGIN = 3_600_000_000
"""How long a run is waited for that has no end (µs), and for the log of what it got where its delay is not known."""

KINDS = ("k8s_pod", "github_run", "github_job", "ci_run", "aws_invocation")
"""Runs whose orchestrator names the workload that they are runs of."""

_KINDS = " OR ".join(f"r.run LIKE '{kind}:%'" for kind in KINDS)

FACTS = f"""
    WITH of_kind AS (
        SELECT r.run, regexp_extract(r.run, '^([^:]*):', 1) AS kind, r.of_workload, r.part_of, r.started,
               coalesce(r.ended, r.started + {MARGIN}) AS over, r.start_leaf
        FROM runs r
        WHERE r.of_workload IS NOT NULL AND r.started IS NOT NULL AND ({_KINDS})
    ), has AS (
        SELECT k.run FROM key_runs k
        UNION
        SELECT r.part_of FROM key_runs k JOIN runs r ON r.run = k.run WHERE r.part_of IS NOT NULL
        UNION
        SELECT r.run FROM key_runs k JOIN runs r ON r.part_of = k.run AND r.run LIKE 'github_job:%'
    ), periods AS (
        SELECT source, account, min(since) AS since, max(until) AS until
        FROM (
            SELECT source, coalesce(account, '') AS account, min(issued_at) AS since, max(issued_at) AS until
            FROM issues GROUP BY source, coalesce(account, '')
            UNION ALL
            SELECT source, coalesce(account, ''), min(first_use), max(last_use)
            FROM uses GROUP BY source, coalesce(account, '')
        ) seen
        GROUP BY source, account
    ), bound AS (
        SELECT DISTINCT r.kind, r.of_workload, r.run, i.source, coalesce(i.account, '') AS account
        FROM of_kind r
        JOIN best_runs b ON b.run = r.run
        JOIN issues i ON i.key = b.key
    ), wanted AS (
        SELECT b.kind, b.of_workload, max(p.since) AS since,
               min(p.until - coalesce(f.delivery_delay, {MARGIN})) AS until, count(DISTINCT b.run) AS bound
        FROM bound b
        JOIN periods p ON p.source = b.source AND p.account = b.account
        LEFT JOIN source_facts f ON f.source = b.source
        GROUP BY b.kind, b.of_workload
    ), silent AS (
        SELECT r.kind, r.of_workload, r.run, r.start_leaf, w.bound,
               row_number() OVER (PARTITION BY r.kind, r.of_workload ORDER BY r.start_leaf, r.run) AS position
        FROM of_kind r
        JOIN wanted w ON w.kind = r.kind AND w.of_workload = r.of_workload
        WHERE r.started >= w.since AND r.over <= w.until AND NOT EXISTS (SELECT 1 FROM has h WHERE h.run = r.run)
    )
    SELECT concat(kind, ':', of_workload) AS subject, regexp_replace(of_workload, '^[^:]*:[^:]*:', '') AS who,
           CAST(NULL AS VARCHAR) AS key, count(*) AS silent, min(bound) AS bound, min(run) AS run,
           array_sort(array_agg(start_leaf) FILTER (WHERE position <= 8 AND start_leaf IS NOT NULL)) AS leaves
    FROM silent
    GROUP BY kind, of_workload
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: the runs of one workload and kind."""

    subject: str
    who: str
    key: str | None
    silent: int
    bound: int
    run: str
    leaves: list[int] | None


def judge(row: Row, contract: Contract) -> Verdict | None:  # noqa: ARG001  # the signature of every rule
    """Indicated: a run may have needed no credential, or got it where no log is read."""
    if row.silent > row.bound:
        return None
    runs = "1 run" if row.silent == 1 else f"{row.silent} runs"
    others = "another run has" if row.bound == 1 else f"{row.bound} other runs have"
    told = f"no credential was seen for {runs} (first {row.run.split(':', 2)[-1]}), while {others} some"
    verdict = indicated(told, Severity.LOW, *(row.leaves or []), settles=Settles.COMPLETE)
    return msgspec.structs.replace(verdict, count=row.silent)


RULE = Rule(
    id="runs-without-telemetry",
    title="runs without any credential seen",
    question=None,
    severity=Severity.LOW,
    why="A run that leaves no trace where its likes do works with something that nobody records.",
    action="Find out what these runs used: a stored key, another account, or a log that did not arrive.",
    fix="",
    controls=("NHI2:2025", "AU-12", "DE.CM-03", "ISO27001 A.8.15"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
