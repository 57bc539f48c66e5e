"""Is a key that never expires older than the rotation that its class asks for?

How old it is, its issuing record says, or the credential report of its account, or at least its first use in the logs.
That it is still in force, a use after the rotation was due shows, or the report; without either it is indicated as long
as no end of it was seen.
"""

import msgspec

from custody.chains.populations import fields_of
from custody.model.contracts import Contract, IdentityClass
from custody.model.times import duration, text
from custody.model.verdicts import Basis, Severity, Verdict, indicated, violated
from custody.rules.asked import of_class
from custody.rules.packed import named
from custody.rules.rule import Rule

ISSUED, SEEN, LISTED = "issued", "seen", "listed"

FACTS = f"""
    WITH chosen AS (
        SELECT c.key, c.first_use, c.last_success FROM credentials c
        WHERE c.key LIKE 'aws!_akid:aws:AKIA%' ESCAPE '!' AND {of_class("rotation")}
    ), last AS (
        SELECT p.key, min(CASE WHEN p.time = h.first_use THEN p.leaf END) AS first_leaf,
               min(CASE WHEN p.time = h.last_success AND p.outcome = 'success' THEN p.leaf END) AS leaf
        FROM parts p
        JOIN chosen h ON h.key = p.key AND (h.last_success = p.time OR h.first_use = p.time)
        WHERE p.stage = 'use' AND NOT p.in_conflict
        GROUP BY p.key
    ), keys AS (
        SELECT c.key AS subject, c.who, c.key, c.subject AS principal, c.identity_class,
               CASE WHEN c.issued_at IS NULL THEN '{SEEN}' ELSE '{ISSUED}' END AS how,
               coalesce(c.issued_at, c.first_use) AS born, c.last_success AS active,
               CASE WHEN c.end_until IS NULL THEN c.end_time END AS ended, c.as_of,
               coalesce(c.issue_leaf, l.first_leaf, c.first_use_leaf) AS leaf, l.leaf AS active_leaf
        FROM judged c
        LEFT JOIN last l ON l.key = c.key
        WHERE c.key IN (SELECT h.key FROM chosen h)
          AND c.population IN ('machine', 'unknown') AND NOT c.issue_disputed AND NOT c.use_disputed
          AND coalesce(c.issued_at, c.first_use) IS NOT NULL
    ), reported AS (
        SELECT p.key AS principal, p.object AS slot, p.created, p.time, p.leaf,
               row_number() OVER (PARTITION BY p.key, p.object ORDER BY p.time DESC, p.leaf) AS position,
               max(p.time) OVER (PARTITION BY p.account) AS latest
        FROM parts p
        WHERE p.effect = 'inventory.access_key_slot' AND p.created IS NOT NULL AND p.key IS NOT NULL
          AND NOT p.in_conflict AND EXISTS (SELECT 1 FROM asked a WHERE a.field = 'rotation')
    ), slots AS (
        SELECT concat(r.principal, ' ', r.slot) AS subject, concat(r.slot, ' of ', {named("r.principal")}) AS who,
               CAST(NULL AS VARCHAR) AS key, r.principal, CAST(NULL AS VARCHAR) AS identity_class, '{LISTED}' AS how,
               r.created AS born, r.time AS active, CAST(NULL AS BIGINT) AS ended, r.time AS as_of, r.leaf,
               r.leaf AS active_leaf
        FROM reported r
        WHERE r.position = 1
          AND NOT EXISTS (SELECT 1 FROM people h WHERE h.principal = r.principal)
          AND NOT EXISTS (SELECT 1 FROM issues i WHERE i.subject = r.principal
                          AND i.issued_at BETWEEN r.created - 2000000 AND r.created + 2000000)
    )
    SELECT subject, who, key, principal, identity_class, how, born, active, ended, as_of, leaf, active_leaf FROM keys
    UNION ALL
    SELECT subject, who, key, principal, identity_class, how, born, active, ended, as_of, leaf, active_leaf FROM slots
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: one key, or one slot of a credential report, which names no key."""

    subject: str
    who: str
    key: str | None
    principal: str | None
    identity_class: str | None
    how: str
    born: int
    active: int | None
    ended: int | None
    as_of: int
    leaf: int
    active_leaf: int | None


def judge(row: Row, contract: Contract) -> Verdict | None:
    """Violated where it was in force past its rotation; indicated where only no end of it was seen."""
    one = _class(row, contract)
    if one is None or one.rotation is None:
        return None
    due = row.born + one.rotation
    told = f"{_born(row)}; its class asks for another every {duration(one.rotation)}"
    if row.active is not None and row.active_leaf is not None and row.active > due:
        seen = "the report has it as active" if row.how == LISTED else "it still worked"
        told = f"{told}, and {seen} {duration(row.active - due)} after that was due"
        return violated(told, Basis.OBSERVED, row.leaf, row.active_leaf)
    if row.as_of > due and row.ended is None:
        return indicated(f"{told}; no end of it was seen", Severity.LOW, row.leaf)
    return None


def _class(row: Row, contract: Contract) -> IdentityClass | None:
    if row.identity_class is not None:
        return next((each for each in contract.classes if each.name == row.identity_class), None)
    found = contract.class_of(fields_of(row.principal or "", ""))
    return None if found is not None and found.population not in (None, "machine", "unknown") else found


def _born(row: Row) -> str:
    words = {ISSUED: "made at", SEEN: "in use since", LISTED: "made at"}
    return f"{words[row.how]} {text(row.born)}"


RULE = Rule(
    id="rotation-overdue",
    title="rotation is overdue",
    question=None,
    severity=Severity.MEDIUM,
    why="A key that is not changed is good for everybody who ever saw it.",
    action="Make a new key, move what uses it, make the old one inactive, then delete it.",
    fix="",
    controls=("NHI7:2025", "PR.AA-01", "IA-5", "CC6.1", "PCI 8.6.3", "ISO27001 A.5.17"),
    row=Row,
    judge=judge,
    facts=FACTS,
    excusable=True,
)
