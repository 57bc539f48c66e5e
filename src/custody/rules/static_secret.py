"""Does a machine work with a key that never expires where it could have one that does?

Said only where the logs show the other way: the key was used from the address of an instance that its issuer gave
short-lived keys at that time; the identity has short-lived credentials besides; or the client names a platform that
gives every run a role (its own word).
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.verdicts import Severity, Verdict, indicated
from custody.rules.packed import packed, unpacked
from custody.rules.rule import Rule

PLACE, BESIDE, TOLD = "1place", "2beside", "3told"
"""Ways to know, surest first."""

FACTS = f"""
    WITH endless AS (
        SELECT c.key, c.who, c.first_use_leaf AS leaf
        FROM judged c
        WHERE c.key LIKE 'aws!_akid:aws:AKIA%' ESCAPE '!' AND c.population = 'machine' AND c.successes > 0
          AND NOT c.use_disputed AND NOT c.issue_disputed
    ), uses_of AS (
        SELECT e.key, p.origin, p.agent, p.time, p.leaf FROM parts p
        JOIN endless e ON e.key = p.key
        WHERE p.stage = 'use' AND p.outcome = 'success' AND p.invoked_by IS NULL AND NOT p.in_conflict
    ), placed AS (
        SELECT u.key, min(u.leaf) AS leaf, min(i.leaf) AS other_leaf, min(i.workload) AS what
        FROM uses_of u
        JOIN network_origins n ON n.from_key = u.origin AND n.sure AND n.egress
        JOIN issues i ON i.workload = n.to_key AND i.bound_by = 'issuer' AND NOT i.disputed
        WHERE u.time >= n.since AND (n.until IS NULL OR u.time <= n.until)
          AND i.issued_at <= u.time AND i.not_after >= u.time
        GROUP BY u.key
    ), beside AS (
        SELECT e.key, min(e.leaf) AS leaf, min(o.issue_leaf) AS other_leaf, min(k.identity) AS what
        FROM endless e
        JOIN key_identities k ON k.key = e.key
        JOIN key_identities s ON s.identity = k.identity AND s.key <> e.key
        JOIN credentials o ON o.key = s.key AND o.not_after IS NOT NULL AND o.bound_by = 'issuer'
         AND o.issue_leaf IS NOT NULL AND NOT o.issue_disputed AND coalesce(o.parent, '') <> e.key
        GROUP BY e.key
    ), spoken AS (
        SELECT u.key, min(u.leaf) AS leaf, CAST(NULL AS BIGINT) AS other_leaf,
               min(regexp_extract(u.agent, 'exec-env/(AWS_Lambda|AWS_ECS)', 1)) AS what
        FROM uses_of u
        WHERE u.agent LIKE '%exec-env/AWS!_Lambda%' ESCAPE '!' OR u.agent LIKE '%exec-env/AWS!_ECS%' ESCAPE '!'
        GROUP BY u.key
    ), ways AS (
        SELECT key, '{PLACE}' AS how, leaf, other_leaf, what FROM placed
        UNION ALL SELECT key, '{BESIDE}', leaf, other_leaf, what FROM beside
        UNION ALL SELECT key, '{TOLD}', leaf, other_leaf, what FROM spoken
    )
    SELECT e.key AS subject, e.who, e.key, array_sort(array_agg({packed("w.how", "w.leaf", "w.other_leaf", "w.what")}))
               AS ways
    FROM endless e
    JOIN ways w ON w.key = e.key
    GROUP BY e.key, e.who
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one key that never expires, and the other ways that were seen."""

    subject: str
    who: str
    key: str
    ways: list[str]


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Indicated: that the other way would have done is a judgement, not a record."""
    how, _, _, what = unpacked(row.ways[0], 4)
    leaves = [int(leaf) for way in row.ways for leaf in unpacked(way, 4)[1:3] if leaf]
    severity = Severity.MEDIUM if how == PLACE else Severity.LOW
    return indicated(f"works with a key that never expires, {_way(how, what)}", severity, *leaves)


def _way(how: str, what: str) -> str:
    if how == PLACE:
        return f"from the address of {what.split(':', 2)[-1]}, which its issuer gave short-lived keys at that time"
    if how == BESIDE:
        return "while the same identity is given short-lived credentials"
    return f"and its client says that it runs in {what}, which gives every run a role"


RULE = Rule(
    id="static-secret",
    title="static key where a short-lived one is at hand",
    question=None,
    severity=Severity.MEDIUM,
    why="A key that never expires is worth stealing for as long as nobody looks.",
    action="Let it use the role of where it runs, then make the key inactive and delete it.",
    fix="",
    controls=("NHI4:2025", "NHI7:2025", "PR.AA-01", "IA-5(7)", "CC6.1", "PCI 8.6.2"),
    row=Row,
    judge=judge,
    facts=FACTS,
    excusable=True,
)
