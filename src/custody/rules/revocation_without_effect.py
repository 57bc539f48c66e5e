"""Revocations that came to nothing: refused, undone, or of a key whose sessions went on.

That a credential was used after an end that did happen is told by ``used-after-end`` and ``end-effective``. Here are
those ends that never took hold: a call to end a key that failed and was not repeated, a key that was made inactive and
active again within a day, a policy that revoked sessions and was taken away, and sessions that a key had opened and
that worked on after it was deleted (at AWS they do, until they expire).
"""

import msgspec

from custody.chains.credentials import NEEDS_NO_RIGHT, PROPAGATION
from custody.chains.join import listed
from custody.model.contracts import Contract
from custody.model.effects import Kind, of_kind
from custody.model.times import duration, text
from custody.model.verdicts import Severity, Verdict, indicated
from custody.rules.rule import Rule
from custody.rules.settling import Settles

DAY = 86_400_000_000
"""A key that is made active again within this time (µs) was most likely still needed: nobody had replaced it."""

ENDS = listed(of_kind(Kind.KEY_END, Kind.KEY_PAUSE))
PAUSES = listed(of_kind(Kind.KEY_PAUSE))

FACTS = f"""
    WITH lasting AS (
        SELECT key FROM first_ends WHERE until IS NULL
    ), vain AS (
        SELECT p.key, 'failed' AS what, max(p.time) AS time, max(p.time) AS back, min(p.leaf) AS leaf,
               count(DISTINCT coalesce(p.request_id, p.event)) AS times, min(coalesce(p.error, p.outcome)) AS error
        FROM parts p
        WHERE p.stage = 'revoke' AND p.effect IN {ENDS} AND p.key IS NOT NULL AND p.outcome <> 'success'
          AND NOT p.in_conflict AND coalesce(p.error, '') NOT LIKE '%NoSuchEntity%'
        GROUP BY p.key
        UNION ALL
        SELECT e.key, CASE WHEN e.effect IN {PAUSES} THEN 'reopened' ELSE 'undone' END, max(e.time), max(e.until),
               min(e.leaf), count(*), CAST(NULL AS VARCHAR)
        FROM sound_ends e
        WHERE e.until IS NOT NULL AND (e.effect = 'sessions.revoke'
                                       OR (e.effect IN {PAUSES} AND e.until > e.time AND e.until - e.time <= {DAY}))
        GROUP BY e.key, CASE WHEN e.effect IN {PAUSES} THEN 'reopened' ELSE 'undone' END
    ), tried AS (
        SELECT v.key, v.what, min(v.time) AS time, min(v.back) AS back, min(v.leaf) AS leaf, min(v.times) AS times,
               min(v.error) AS error, count(u.leaf) AS successes, max(u.time) AS last, min(u.leaf) AS use_leaf,
               0 AS children
        FROM vain v
        LEFT JOIN parts u
          ON u.key = v.key AND u.stage = 'use' AND u.outcome = 'success' AND u.time > v.back
         AND u.invoked_by IS NULL AND NOT u.extra AND NOT u.in_conflict
         AND (v.what <> 'undone' OR u.action NOT IN ({NEEDS_NO_RIGHT}))
        WHERE NOT EXISTS (SELECT 1 FROM lasting l WHERE l.key = v.key)
        GROUP BY v.key, v.what
    ), opened AS (
        SELECT e.key, 'sessions' AS what, min(e.time) AS time, min(e.time) AS back, min(e.leaf) AS leaf, 1 AS times,
               CAST(NULL AS VARCHAR) AS error, count(*) AS successes, max(u.time) AS last, min(u.leaf) AS use_leaf,
               count(DISTINCT p.key) AS children
        FROM first_ends e
        JOIN parents p ON p.parent = e.key AND NOT p.disputed
        JOIN issues i ON i.key = p.key AND i.issued_at <= e.time AND NOT i.disputed
        JOIN parts u
          ON u.key = p.key AND u.stage = 'use' AND u.outcome = 'success' AND u.time > e.time + {PROPAGATION}
         AND u.invoked_by IS NULL AND NOT u.extra AND NOT u.in_conflict
        WHERE e.until IS NULL AND e.key LIKE 'aws_akid:%' AND e.effect IN {ENDS}
          AND NOT EXISTS (SELECT 1 FROM ends o WHERE o.key = p.key)
        GROUP BY e.key
    ), ranked AS (
        SELECT f.*, row_number() OVER (
                   PARTITION BY key ORDER BY CASE WHEN successes > 0 THEN 0 ELSE 1 END, what) AS position
        FROM (SELECT * FROM tried UNION ALL SELECT * FROM opened) f
    )
    SELECT r.key AS subject, c.who, r.key AS key, r.what, r.time, r.back, r.leaf, r.times, r.error, r.successes, r.last,
           r.use_leaf, r.children, c.not_after, c.as_of
    FROM ranked r
    JOIN judged c ON c.key = r.key
    WHERE r.position = 1 AND c.population IN ('machine', 'unknown')
      AND coalesce(c.unissued_class, '') NOT IN ('console', 'provider-internal')
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one key, and what was done in vain to end it (``what``)."""

    subject: str
    who: str
    key: str | None
    what: str
    time: int
    back: int
    leaf: int
    times: int
    error: str | None
    successes: int
    last: int | None
    use_leaf: int | None
    children: int
    not_after: int | None
    as_of: int


def judge(row: Row, contract: Contract) -> Verdict | None:  # noqa: ARG001  # the signature of every rule
    """Indicated: the records are sure, what they mean is not, for a key may be given back on purpose."""
    if not row.successes and (row.what != "failed" or (row.not_after is not None and row.not_after < row.as_of)):
        return None
    leaves = (row.leaf, *(() if row.use_leaf is None else (row.use_leaf,)))
    severity = Severity.MEDIUM if row.successes else Severity.LOW
    verdict = indicated(f"{_tried(row)}; {_since(row)}", severity, *leaves, settles=Settles.COMPLETE)
    return msgspec.structs.replace(verdict, count=row.times + row.successes)


def _tried(row: Row) -> str:
    match row.what:
        case "failed":
            calls = "a call to end it failed" if row.times == 1 else f"{row.times} calls to end it failed"
            return f"{calls} ({row.error}), the last at {text(row.time)}, and no later one succeeded"
        case "reopened":
            return (
                f"made inactive at {text(row.time)} and active again at {text(row.back)}, "
                f"{duration(row.back - row.time)} later"
            )
        case "undone":
            return (
                f"its sessions were revoked at {text(row.time)}, and the revoking policy was gone at {text(row.back)}"
            )
    sessions = "1 session" if row.children == 1 else f"{row.children} sessions"
    return f"ended at {text(row.time)}, but {sessions} that it had opened worked on"


def _since(row: Row) -> str:
    if not row.successes:
        return "no success since then was seen"
    calls = "1 call" if row.successes == 1 else f"{row.successes} calls"
    return f"{calls} succeeded since then, the last at {text(row.last)}"


RULE = Rule(
    id="revocation-without-effect",
    title="revocation without effect",
    question=None,
    severity=Severity.MEDIUM,
    why="Somebody wanted this access to be over, and it is not.",
    action="End it again with the rights that it takes, end its sessions too, and look at what was done since.",
    fix="",
    controls=("NHI1:2025", "ASI10", "IR-4", "AC-12", "PR.AA-01"),
    row=Row,
    judge=judge,
    facts=FACTS,
    covered_by="used-after-end",
)
