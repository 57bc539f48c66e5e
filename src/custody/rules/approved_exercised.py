"""Was what was done what had been approved: inside the window of the approval, by the role that it names?

An approval that no contract asks for still says how far it goes. Its window is what the approving system wrote as its
end, and what the clocks of the two systems may be apart; its scope is compared only where it is a typed key of the kind
that the credential speaks for (a role approved, a role used): a scope in words is nobody's to judge. Whether there was
an approval at all, in time and by whom, is asked by ``approved``.
"""

import msgspec

from custody.chains.clocks import UNMEASURED
from custody.model.contracts import Contract
from custody.model.times import duration, text
from custody.model.verdicts import Basis, Severity, Verdict, indicated, violated
from custody.rules.rule import Rule
from custody.rules.settling import Settles

ROLE = "concat(regexp_extract({0}, '^aws_arn:([^:]*):', 1), '/', regexp_extract({0}, '([^/]*)$', 1))"
"""The SQL of a role's account and name: an approval may write it with its path."""

FACTS = f"""
    WITH grants AS (
        SELECT a.key, a.until, a.object, a.leaf, a.source, a.via, a.grade = 'exact' AND a.asserter = 'issuer' AS strong
        FROM approvals a
        WHERE a.effect = 'approval.grant'
          AND NOT EXISTS (SELECT 1 FROM approvals w
                          WHERE w.key = a.key AND w.target = a.target AND w.effect = 'approval.withdraw'
                            AND w.time >= a.time)
    ), bounds AS (
        SELECT key, max(until) AS until, bool_and(strong) AS strong, min(via) AS via, min(leaf) AS leaf,
               min(object) AS scope, min(source) AS source
        FROM grants
        GROUP BY key
        HAVING count(*) = count(until)
    ), late AS (
        SELECT p.key, count(*) AS uses, max(p.time) AS last, min(p.leaf) AS first_leaf, max(p.leaf) AS last_leaf
        FROM parts p
        JOIN bounds b ON b.key = p.key
        LEFT JOIN skews k ON k.source = b.source AND k.other = p.source
        WHERE p.stage = 'use' AND p.outcome = 'success' AND p.invoked_by IS NULL
          AND p.time > b.until + greatest({UNMEASURED}, coalesce(k.skew, 0)) AND NOT p.extra AND NOT p.in_conflict
        GROUP BY p.key
    ), scopes AS (
        SELECT g.key, min(g.object) AS scope, bool_and(g.strong) AS strong, min(g.via) AS via, min(g.leaf) AS leaf
        FROM grants g
        JOIN judged c ON c.key = g.key
        WHERE c.subject LIKE 'aws_arn:%:role/%'
        GROUP BY g.key, c.subject
        HAVING count(*) = count(CASE WHEN g.object LIKE 'aws_arn:%:role/%'
                                          AND {ROLE.format("g.object")} <> {ROLE.format("c.subject")} THEN 1 END)
    )
    SELECT c.key AS subject, c.who, c.key AS key, b.until, l.uses, l.last, l.first_leaf, l.last_leaf, s.scope,
           c.subject AS exercised, coalesce(s.strong, b.strong) AS strong, coalesce(s.via, b.via) AS via,
           coalesce(s.leaf, b.leaf) AS leaf, c.issue_leaf, c.successes, c.issue_disputed
    FROM judged c
    LEFT JOIN bounds b ON b.key = c.key
    LEFT JOIN late l ON l.key = c.key
    LEFT JOIN scopes s ON s.key = c.key AND c.successes > 0
    WHERE (s.key IS NOT NULL OR (l.key IS NOT NULL AND (c.not_after IS NULL OR c.not_after > b.until + {UNMEASURED})))
      AND c.population IN ('machine', 'unknown')
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one credential, the end of its last approval, and the scope of all of them."""

    subject: str
    who: str
    key: str | None
    until: int | None
    uses: int | None
    last: int | None
    first_leaf: int | None
    last_leaf: int | None
    scope: str | None
    exercised: str | None
    strong: bool
    via: str
    leaf: int
    issue_leaf: int | None
    successes: int
    issue_disputed: bool


def judge(row: Row, contract: Contract) -> Verdict | None:  # noqa: ARG001  # the signature of every rule
    """Violated where every link between approval and credential is exact and an issuer's; else indicated."""
    what, title = _scope(row) if row.scope is not None else _window(row)
    cited = (row.leaf, row.issue_leaf, row.first_leaf, row.last_leaf)
    leaves = tuple(leaf for leaf in cited if leaf is not None)
    if row.strong and not row.issue_disputed:
        verdict = violated(what, Basis.OBSERVED, *leaves, count=max(len(set(leaves)), row.uses or 0))
        return msgspec.structs.replace(verdict, title=title)
    return indicated(f"{what} (through {row.via})", Severity.MEDIUM, *leaves, settles=Settles.RUN_BINDING, title=title)


def _scope(row: Row) -> tuple[str, str]:
    calls = "1 successful call" if row.successes == 1 else f"{row.successes} successful calls"
    return f"approved for {_short(row.scope)}, used as {_short(row.exercised)} ({calls})", "used beyond its approval"


def _window(row: Row) -> tuple[str, str]:
    uses, last, until = row.uses or 0, row.last or 0, row.until or 0
    calls = "1 successful call" if uses == 1 else f"{uses} successful calls"
    told = f"{calls} after its approval had ended at {text(until)}, the last {duration(last - until)} after"
    return told, "used after its approval ended"


def _short(key: str | None) -> str:
    return (key or "").split(":", 2)[-1][:200]


RULE = Rule(
    id="approved-exercised",
    title="used beyond its approval",
    question=None,
    severity=Severity.MEDIUM,
    why="What goes on after the window or outside the scope of an approval was approved by nobody.",
    action="Ask who needed it longer or wider; let the credential end with its approval, or approve anew.",
    fix="",
    controls=("NHI5:2025", "ASI03", "AC-2", "AC-6", "CC6.3", "ISO27001 A.5.18"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
