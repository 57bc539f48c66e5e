"""Was it known, when the credential was issued, what it may do?

What is asked for is knowledge, not that the privilege is right: every grant of its principal at that time, the text of
each, and whether a session policy took something away. It is proved only where the principal's whole history is seen,
from its making on, and that of its groups and policies, in a trail that is proved to be whole. A list of grants says
what there is, and not since when: it indicates. What policies on resources, of the organisation or of endpoints add or
take away is outside of the answer.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.times import text
from custody.model.verdicts import Basis, Best, Question, Severity, Verdict, proved, unproven
from custody.rules.rule import Rule
from custody.rules.settling import Settles, grants_of

SETTLED = 60_000_000
"""A change of a grant takes up to a minute to be known everywhere (µs)."""
SECOND = 1_000_000

PLAIN = ("AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "GetSessionToken", "CreateAccessKey")
"""Calls whose record says whether there is a session policy."""

FACTS = f"""
    WITH asked AS (
        SELECT c.key, coalesce(CASE WHEN c.key LIKE 'db!_role:%' ESCAPE '!' THEN c.key END, c.subject) AS principal,
               coalesce(c.issued_at, c.first_use) AS time
        FROM credentials c
        WHERE c.population IN ('machine', 'unknown')
    ), limited AS (
        SELECT p.key, min(p.object) AS session_policy, min(p.leaf) AS leaf FROM parts p
        WHERE p.effect = 'session.policy' AND p.key IS NOT NULL GROUP BY p.key
    ), declared AS (
        SELECT k.key, min(m.value) AS value, count(DISTINCT m.value) AS total
        FROM key_identities k JOIN claims m ON m.identity = k.identity AND m.field = 'privilege' AND m.state = 'held'
        GROUP BY k.key
    ), seen AS (
        SELECT s.principal, s.since, array_sort(array_agg(DISTINCT g.leaf)) AS grant_leaves
        FROM privilege_spans s
        JOIN grants g ON g.principal = s.principal AND g.kind <> 'profile'
         AND (g.since IS NULL OR g.since <= coalesce(s.since, g.since))
         AND (g.until IS NULL OR s.since IS NULL OR g.until > s.since)
        GROUP BY s.principal, s.since
    )
    SELECT a.key, s.grants, s.known, s.told, s.unresolved, s.observed, s.made, s.made_leaf, n.grant_leaves,
           s.since IS NOT NULL AND a.time < s.since + {SETTLED} AND s.since > s.made AS fresh,
           s.until IS NOT NULL AND a.time + {SECOND} > s.until AS late,
           EXISTS (SELECT 1 FROM whole_periods w
                   WHERE w.source = 'aws.cloudtrail' AND w.region = s.region
                     AND w.since <= s.watched AND w.until >= a.time
                     AND w.account = regexp_extract(s.principal, '^aws_arn:([0-9]+):', 1)) AS whole,
           EXISTS (SELECT 1 FROM grant_disputes d
                   WHERE d.principal = s.principal AND d.time >= s.made AND d.time <= a.time) AS in_dispute,
           l.session_policy, d.value AS declared, d.total AS declared_total
    FROM asked a
    LEFT JOIN privilege_spans s
      ON s.principal = a.principal AND (s.since IS NULL OR s.since <= a.time) AND (s.until IS NULL OR a.time < s.until)
    LEFT JOIN seen n ON n.principal = s.principal AND coalesce(n.since, -1) = coalesce(s.since, -1)
    LEFT JOIN limited l ON l.key = a.key
    LEFT JOIN declared d ON d.key = a.key
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    key: str
    method: str | None
    issue_leaf: int | None
    issue_disputed: bool
    grants: int | None
    known: int | None
    told: str | None
    unresolved: str | None
    observed: bool | None
    made: int | None
    made_leaf: int | None
    grant_leaves: list[int] | None
    fresh: bool | None
    late: bool | None
    whole: bool | None
    in_dispute: bool | None
    session_policy: str | None
    declared: str | None
    declared_total: int | None


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Proved where nothing can be missing; else what is known of the grants, and what is not."""
    if row.issue_disputed:
        return unproven("the issuing record is in conflict", Best.NOTHING)
    if not row.grants:
        return _without(row)
    cited = (*(row.grant_leaves or ()), row.made_leaf, row.issue_leaf)
    leaves = tuple(sorted({leaf for leaf in cited if leaf is not None}))
    missing = _missing(row)
    if missing is None:
        told = f"every grant since it was made at {text(row.made)}: {row.told}; no session policy"
        return proved(told, Basis.CLOSED_WORLD, *leaves)
    settles = grants_of(row.key) if row.unresolved is not None else Settles.WHOLE_HISTORY
    return unproven(f"{row.told}; {missing}", Best.INDICATED, *leaves, settles=settles)


def _without(row: Row) -> Verdict:
    settles = grants_of(row.key)
    if row.declared is None:
        return unproven("no grant of its principal was read", settles=settles)
    others = (row.declared_total or 1) - 1
    more = f" and {others} more" if others else ""
    return unproven(f"{row.declared}{more}, says the register", Best.CLAIMED, settles=settles)


def _missing(row: Row) -> str | None:
    """The first thing that keeps the answer from being proved, None where nothing does."""
    if row.unresolved is not None:
        return f"not resolved: {row.unresolved}"
    if row.made is None or not row.observed:
        return "since when is not known: its making was not seen"
    if row.fresh or row.late:
        return "they changed about when it was issued"
    if row.in_dispute:
        return "a record of a change is in conflict"
    if row.issue_leaf is None or row.method not in PLAIN:
        return "whether a session policy takes something away is not recorded"
    if row.session_policy is not None:
        return f"its session policy ({row.session_policy}) takes something away that is not evaluated"
    return None if row.whole else "the trail is not proved whole since it, its groups and its policies were made"


RULE = Rule(
    id="privilege-known",
    title="privilege known at the time",
    question=Question.PRIVILEGE,
    severity=Severity.MEDIUM,
    why="Whoever cannot say what a credential could do cannot say what its loss means.",
    action="Export what your systems grant, with the texts of the policies, at regular times, and read it.",
    fix="an inventory of grants with the texts of policies",
    controls=("NHI5:2025", "ASI03", "PR.AA-05", "AC-6", "CC6.3", "ISO27001 A.8.2"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
