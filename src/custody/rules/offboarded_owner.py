"""Does an identity still work whose owner has gone?

Who owns an identity is declared, so this indicates and no more. That the owner has gone is told by the register (a
party with ``ended``, or a team all of whose members have ended) or by a log: a member removed from an organisation of
GitHub, a user of IAM deleted, and not back since. A log counts only where the claim names its exact key. Nothing is
said of an identity that has another owner who is still there.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.effects import Kind, of_kind
from custody.model.times import text
from custody.model.verdicts import Severity, Verdict, indicated
from custody.rules.rule import Rule
from custody.rules.settling import Settles

LEFT = ", ".join(
    f"'{effect}'" for effect in ("member.delete", "member.remove", "member.suspend", *of_kind(Kind.PRINCIPAL_END))
)

BACK = "'member.add', 'user.create'"

FACTS = f"""
    WITH now AS (
        SELECT max(as_of) AS as_of FROM judged
    ), owners AS (
        SELECT c.identity, c.value AS owner, min(c.said_by) AS said_by, min(c.leaf) AS leaf
        FROM claims c
        CROSS JOIN now n
        WHERE c.field = 'owner' AND c.superseded_at IS NULL
          AND (c.since IS NULL OR c.since <= n.as_of) AND (c.until IS NULL OR c.until > n.as_of)
        GROUP BY c.identity, c.value
    ), gone_parties AS (
        SELECT party, min(ended) AS time, min(leaf) AS leaf FROM parties WHERE ended IS NOT NULL GROUP BY party
    ), gone AS (
        SELECT g.party AS owner, g.time, g.leaf, 'the register' AS told_by FROM gone_parties g
        UNION ALL
        SELECT p.party, max(g.time), min(p.leaf), 'the register, of every member'
        FROM parties p
        LEFT JOIN gone_parties g ON g.party = p.member
        WHERE p.member IS NOT NULL
        GROUP BY p.party
        HAVING count(*) = count(g.time)
        UNION ALL
        SELECT o.owner, min(p.time), min(p.leaf), min(p.source)
        FROM owners o
        JOIN parts p ON p.key = o.owner OR regexp_replace(p.key, '^aws_arn:[^:]*:', '') = o.owner
        WHERE p.stage IN ('change', 'end') AND p.effect IN ({LEFT}) AND p.outcome = 'success' AND NOT p.in_conflict
          AND NOT EXISTS (SELECT 1 FROM parts b
                          WHERE b.key = p.key AND b.stage = 'change' AND b.effect IN ({BACK}) AND b.outcome = 'success'
                            AND b.time >= p.time
                            AND (b.effect = 'user.create' OR coalesce(b.object, '') = coalesce(p.object, '')))
        GROUP BY o.owner
    ), left_by AS (
        SELECT owner, time, leaf, told_by, row_number() OVER (PARTITION BY owner ORDER BY time, told_by) AS position
        FROM gone
        CROSS JOIN now n
        WHERE time <= n.as_of
    ), without AS (
        SELECT o.identity, min(o.owner) AS owner, min(o.said_by) AS said_by, max(l.time) AS time, min(l.leaf) AS leaf,
               min(l.told_by) AS told_by, min(o.leaf) AS claim_leaf
        FROM owners o
        LEFT JOIN left_by l ON l.owner = o.owner AND l.position = 1
        GROUP BY o.identity
        HAVING count(*) = count(l.time)
    ), work AS (
        SELECT w.identity,
               count(CASE WHEN c.issued_at > w.time THEN 1 END) AS issued,
               count(CASE WHEN c.last_success > w.time THEN 1 END) AS used, max(c.last_success) AS last,
               count(CASE WHEN c.end_time IS NULL AND (c.not_after IS NULL OR c.not_after > c.as_of)
                          THEN 1 END) AS alive,
               min(CASE WHEN c.issued_at > w.time THEN c.issue_leaf
                        WHEN c.last_success > w.time THEN coalesce(c.issue_leaf, c.first_use_leaf) END) AS issue_leaf
        FROM without w
        JOIN key_identities k ON k.identity = w.identity
        JOIN judged c ON c.key = k.key
        GROUP BY w.identity
    ), deputies AS (
        SELECT identity, min(value) AS deputy FROM claims WHERE field = 'deputy' AND superseded_at IS NULL
        GROUP BY identity
    )
    SELECT w.identity AS subject, w.identity AS who, CAST(NULL AS VARCHAR) AS key, w.owner, w.said_by, w.time, w.leaf,
           w.told_by, w.claim_leaf, k.issued, k.used, k.last, k.alive, k.issue_leaf, d.deputy
    FROM without w
    JOIN work k ON k.identity = w.identity
    LEFT JOIN deputies d ON d.identity = w.identity
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one identity, every owner of which has gone; the last of them at ``time``."""

    subject: str
    who: str
    key: str | None
    owner: str
    said_by: str
    time: int
    leaf: int | None
    told_by: str
    claim_leaf: int | None
    issued: int
    used: int
    last: int | None
    alive: int
    issue_leaf: int | None
    deputy: str | None


def judge(row: Row, contract: Contract) -> Verdict | None:  # noqa: ARG001  # the signature of every rule
    """Indicated where something was issued or used since; low where a credential is merely left over."""
    if not (row.issued or row.used or row.alive):
        return None
    leaves = [leaf for leaf in (row.claim_leaf, row.leaf, row.issue_leaf) if leaf is not None]
    told = (
        f"its owner {row.owner} ({row.said_by}) has gone since {text(row.time)}, says {row.told_by}; {_since(row)}"
        + (f"; the deputy is {row.deputy}" if row.deputy else "")
    )
    severity = Severity.MEDIUM if row.issued or row.used else Severity.LOW
    verdict = indicated(told, severity, *leaves, settles=Settles.REGISTER_OWNER)
    return msgspec.structs.replace(verdict, count=max(verdict.count, row.issued + row.used))


def _since(row: Row) -> str:
    if not (row.issued or row.used):
        left = "1 credential of it has" if row.alive == 1 else f"{row.alive} credentials of it have"
        return f"{left} no known end, and nothing was used since"
    said = []
    if row.issued:
        said.append("1 credential was issued" if row.issued == 1 else f"{row.issued} credentials were issued")
    if row.used:
        said.append(f"{row.used} used, the last at {text(row.last)}")
    return "since then " + " and ".join(said)


RULE = Rule(
    id="offboarded-owner",
    title="owner has gone",
    question=None,
    severity=Severity.MEDIUM,
    why="Nobody answers for what works on after its owner left, and nobody will notice when it is misused.",
    action="Give the identity an owner who is there, or end its credentials.",
    fix="",
    controls=("NHI1:2025", "ASI10", "AC-2(3)", "PS-4", "PR.AA-01", "ISO27001 A.5.16"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
