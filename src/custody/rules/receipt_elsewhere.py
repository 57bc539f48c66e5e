"""Receipts of a broker on credentials that it did not issue.

A receipt (the chain id of a brokered credential, as its role name, token id, session name, source identity or tag) is a
pointer that anybody who makes a credential can copy. It says something only where the sealed outcome of that chain
names the same key. Sessions that were opened with the credential inherit what it carries, and are none.

Violated is said where the log of the broker that tells of the chain is whole from its request to its outcome, or, where
there is no outcome, from before the chain's id was drawn to a minute after the credential was seen: else the outcome
may be among the lines that are missing. Where no log of any broker was read nothing is said.
"""

import msgspec

from custody.chains.brokered import BROKER, SEQ, SOURCE
from custody.model.contracts import Contract
from custody.model.verdicts import Basis, Severity, Verdict, indicated, violated
from custody.rules.rule import Rule
from custody.rules.settling import Settles

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32 in lower case, as in chain ids."""
DEEPEST = 32
LATE = 60_000_000
"""An outcome is sealed at most so long (µs) after the target wrote down what it made."""

FACTS = f"""
    WITH RECURSIVE heirs AS (
        SELECT b.key, b.chain, 0 AS depth FROM brokered b
        UNION ALL
        SELECT p.key, h.chain, h.depth + 1 FROM heirs h
        JOIN parents p ON p.parent = h.key AND NOT p.disputed
        WHERE h.depth < {DEEPEST}
    ), said AS (
        SELECT source_identity AS chain, {BROKER.format("event")} AS broker, {SEQ.format("event")} AS seq, leaf,
               coalesce(effect, '') = 'issue.unknown' AS unsure, coalesce(effect, '') = 'credential.request' AS request,
               min({SEQ.format("event")}) OVER (PARTITION BY source_identity, {BROKER.format("event")}) AS first
        FROM parts
        WHERE source = '{SOURCE}' AND source_identity IN (SELECT r.chain FROM receipts r) AND NOT in_conflict
    ), told AS (
        SELECT chain, broker, min(first) AS first, min(CASE WHEN seq = first THEN leaf END) AS leaf,
               bool_or(unsure) AS unsure, bool_or(request AND seq = first) AS begun,
               count(*) OVER (PARTITION BY chain) AS brokers
        FROM said
        GROUP BY chain, broker
    ), named AS (
        SELECT chain, min(key) AS key, min(leaf) AS leaf, max(seq) AS last FROM brokered GROUP BY chain
    ), ranked AS (
        SELECT r.key AS subject, j.who, r.key AS key, r.chain, r.how, r.leaf, n.key AS named, n.leaf AS named_leaf,
               t.leaf AS told_leaf, coalesce(t.unsure, FALSE) AS unsure,
               coalesce(t.brokers = 1 AND t.begun AND s.broker IS NOT NULL
                        AND (n.key IS NOT NULL OR s.until >= r.time + {LATE}), FALSE) AS whole,
               CASE WHEN s.first > 1 THEN s.since END AS since,
               row_number() OVER (PARTITION BY r.key ORDER BY r.chain, t.broker) AS position
        FROM receipts r
        JOIN judged j ON j.key = r.key
        LEFT JOIN told t ON t.chain = r.chain
        LEFT JOIN named n ON n.chain = r.chain
        LEFT JOIN broker_stretches s
          ON s.broker = t.broker AND s.first <= t.first AND s.last >= coalesce(n.last, t.first)
        WHERE NOT EXISTS (SELECT 1 FROM heirs h WHERE h.key = r.key AND h.chain = r.chain)
          AND coalesce(j.unissued_class, '') NOT IN ('console', 'provider-internal')
          AND EXISTS (SELECT 1 FROM broker_stretches any_read)
    )
    SELECT subject, who, key, chain, how, leaf, named, named_leaf, told_leaf, unsure, whole, since FROM ranked
    WHERE position = 1
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: a credential that carries the id of a chain, and what the chain came to."""

    subject: str
    who: str
    key: str
    chain: str
    how: str
    leaf: int
    named: str | None
    named_leaf: int | None
    told_leaf: int | None
    unsure: bool
    whole: bool
    since: int | None


def judge(row: Row, contract: Contract) -> Verdict:  # noqa: ARG001  # the signature of every rule
    """Violated where the chain's own outcome is known and is another; else worth a look."""
    carries = f"carries the receipt {row.chain} as its {row.how}"
    if row.told_leaf is None:
        told = f"{carries}; no log of a broker that was read knows this chain"
        return indicated(told, Severity.LOW, row.leaf, settles=Settles.BROKER, title="receipt of an unknown chain")
    leaves = tuple(leaf for leaf in (row.leaf, row.told_leaf, row.named_leaf) if leaf is not None)
    if row.unsure and row.named is None:
        told = f"{carries}; the broker could not tell whether a credential was made"
        return indicated(told, Severity.MEDIUM, *leaves, settles=Settles.BROKER, title="made, and never handed over")
    what = f"named {row.named.split(':', 2)[-1]}" if row.named else "named no credential"
    told = f"{carries}; the outcome of that chain {what}"
    if row.whole and (row.named is not None or row.since is None or row.since <= drawn_at(row.chain)):
        return violated(told, Basis.OBSERVED, *leaves)
    return indicated(f"{told}, as far as the broker's log was read", Severity.MEDIUM, *leaves, settles=Settles.BROKER)


def drawn_at(chain: str) -> int:
    """When the broker drew the id of a chain, by its own clock (µs): the first 48 of a ULID's 128 bits are its ms."""
    number = 0
    for letter in chain[3:13]:
        number = number * 32 + ALPHABET.index(letter)
    return number * 1000


RULE = Rule(
    id="receipt-elsewhere",
    title="receipt on another credential",
    question=None,
    severity=Severity.HIGH,
    why="Somebody made a credential look like one that was decided and approved.",
    action="Find who made it by the record that issued it; end it, and ask where they had the chain id from.",
    fix="",
    controls=("NHI9:2025", "ASI03", "AU-10(1)", "PR.AA-01"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
