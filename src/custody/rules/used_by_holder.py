"""Was the credential used by the workload that it was issued to?

An origin is explained when the log itself gives it to the workload (its own address, an elastic one, the NAT of its
network), when a service made the call, or when the contract declares it. A difference alone proves nothing: a
violation needs the way by which the workload leaves at that time, a call from elsewhere that was not refused, and
another principal's key, of another chain, at work there.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.verdicts import (
    Basis,
    Best,
    Question,
    Severity,
    Verdict,
    indicated,
    not_applicable,
    proved,
    unproven,
    violated,
)
from custody.rules.rule import Rule
from custody.rules.settling import Settles

ONE_PLACE = ("k8s_pod", "aws_pod", "github_run", "github_job", "ci_run", "aws_invocation")
"""Runs that have one place: what is issued to one of them is used from where it runs."""

_HELD = " OR ".join(f"{{column}} LIKE '{kind}:%'" for kind in ONE_PLACE)
_IPV4 = "'^[0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}$'"
_PRIVATE = (
    "'^(10[.]|192[.]168[.]|172[.](1[6-9]|2[0-9]|3[01])[.]|169[.]254[.]"
    "|100[.](6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])[.])'"
)
"""RFC 1918, RFC 3927 and RFC 6598: what an address of these looks like says nothing outside of its network."""

FACTS = f"""
    WITH per_key AS (
        SELECT key, CAST(sum(uses) AS BIGINT) AS seen, CAST(sum(by_service) AS BIGINT) AS by_service,
               CAST(sum(by_log) AS BIGINT) AS by_log, CAST(sum(by_contract) AS BIGINT) AS by_contract,
               CAST(sum(unexplained) AS BIGINT) AS unexplained,
               CAST(sum(doubtful) AS BIGINT) AS doubtful, max(CASE WHEN by_log > 0 THEN how END) AS how,
               max(fact_leaf) AS fact_leaf, max(run_leaf) AS run_leaf, max(address_leaf) AS address_leaf
        FROM key_origins GROUP BY key
    ), covered AS (
        SELECT s.*, max(CASE WHEN s.egress IS NULL THEN 0 ELSE 1 END) OVER (PARTITION BY s.key, s.origin) AS any_egress
        FROM strange_uses s
    ), numbered AS (
        SELECT c.*, row_number() OVER (PARTITION BY c.key, c.origin ORDER BY c.leaf) AS position
        FROM covered c WHERE c.any_egress = 0 OR c.egress IS NOT NULL
    ), at_origin AS (
        SELECT key, origin, count(*) AS calls, array_sort(array_agg(leaf) FILTER (WHERE position <= 8)) AS leaves,
               min(egress) AS egress, min(how) AS egress_how, min(egress_leaf) AS egress_leaf,
               min(egress_address_leaf) AS egress_address_leaf, min(egress_run_leaf) AS egress_run_leaf,
               min(seen_leaf) AS egress_seen_leaf
        FROM numbered GROUP BY key, origin
    ), strange AS (
        SELECT * FROM (
            SELECT a.*, o.principal AS other,
                   CASE WHEN o.first_root <> k.root THEN o.first_leaf ELSE o.last_leaf END AS other_leaf,
                   row_number() OVER (PARTITION BY a.key
                                      ORDER BY CASE WHEN o.principal IS NULL THEN 1 ELSE 0 END,
                                               CASE WHEN a.egress IS NULL THEN 1 ELSE 0 END,
                                               o.uses DESC, a.calls DESC, a.origin, o.principal) AS place
            FROM at_origin a
            JOIN key_origins k ON k.key = a.key AND k.origin = a.origin
            LEFT JOIN origin_principals o
              ON o.origin = a.origin AND o.principal <> k.principal
             AND (o.first_root <> k.root OR o.last_root <> k.root)
        ) ranked WHERE place = 1
    ), siblings AS (
        SELECT key, sibling, sibling_origin, sibling_leaf FROM (
            SELECT a.key, b.key AS sibling, kb.origin AS sibling_origin, kb.leaf AS sibling_leaf,
                   row_number() OVER (PARTITION BY a.key
                                      ORDER BY kb.by_log + kb.by_contract DESC, b.key, kb.origin) AS place
            FROM credentials a
            JOIN strange s ON s.key = a.key
            JOIN credentials b ON b.subject = a.subject AND b.lineage = a.lineage AND b.key <> a.key
                 AND b.issued_at <= coalesce(a.not_after, b.issued_at)
                 AND a.issued_at <= coalesce(b.not_after, a.issued_at)
            JOIN key_origins kb ON kb.key = b.key AND kb.origin <> s.origin AND kb.by_service < kb.uses
            WHERE a.workload IS NOT NULL AND NOT a.chain_disputed AND NOT b.chain_disputed
              AND a.granularity IN ('instance', 'node', 'pod', 'process', 'run')
              AND NOT EXISTS (SELECT 1 FROM key_origins x WHERE x.key = b.key AND x.origin = s.origin)
        ) ranked WHERE place = 1
    ), held AS (
        SELECT b.key, b.run FROM best_runs b WHERE b.grade = 'exact' AND ({_HELD.format(column="b.run")})
        UNION ALL
        SELECT i.key, i.workload FROM issues i
        WHERE i.bound_by = 'issuer' AND NOT i.disputed AND ({_HELD.format(column="i.workload")})
          AND NOT EXISTS (SELECT 1 FROM best_runs b WHERE b.key = i.key)
    ), several AS (
        SELECT k.key, h.run FROM key_origins k
        JOIN held h ON h.key = k.key
        WHERE k.unexplained > 0 GROUP BY k.key, h.run HAVING count(DISTINCT k.origin) > 1
    ), seen AS (
        SELECT v.key, v.run, p.source, u.origin, min(u.leaf) AS leaf,
               CASE WHEN u.origin LIKE '127.%' THEN 'loopback'
                    WHEN regexp_extract(u.origin, {_PRIVATE}, 0) <> '' THEN 'private' ELSE 'public' END AS sort
        FROM several v
        JOIN origin_uses u ON u.key = v.key
        JOIN parts p ON p.leaf = u.leaf AND p.key = u.key AND p.stage = 'use'
        WHERE u.explained_by = 'nothing' AND u.outcome <> 'denied' AND NOT u.in_conflict
          AND regexp_extract(u.origin, {_IPV4}, 0) <> ''
        GROUP BY v.key, v.run, p.source, u.origin
    ), shared AS (
        SELECT s.key, s.origin
        FROM seen s
        JOIN use_origins o ON o.origin = s.origin
        JOIN held h ON h.key = o.key AND h.run <> s.run
        GROUP BY s.key, s.origin HAVING count(DISTINCT h.run) > 1
    ), places AS (
        SELECT key, source, origins, leaves FROM (
            SELECT s.key, s.source, array_sort(array_agg(s.origin)) AS origins, array_sort(array_agg(s.leaf)) AS leaves,
                   row_number() OVER (PARTITION BY s.key ORDER BY s.source, s.sort) AS place
            FROM seen s
            LEFT JOIN shared x ON x.key = s.key AND x.origin = s.origin
            GROUP BY s.key, s.source, s.sort
            HAVING count(*) > 1 AND count(x.key) < count(*)
        ) ranked WHERE place = 1
    )
    SELECT p.key, p.seen, p.by_service, p.by_log, p.by_contract, p.unexplained, p.doubtful, p.how,
           p.fact_leaf, p.run_leaf, p.address_leaf,
           s.origin AS strange_origin, s.other AS strange_other, s.other_leaf AS strange_other_leaf,
           s.leaves AS strange_leaves, s.calls AS strange_calls, b.sibling, b.sibling_origin, b.sibling_leaf,
           b.sibling < b.key AND t.key IS NOT NULL AS sibling_tells,
           s.egress, s.egress_how, s.egress_leaf, s.egress_address_leaf, s.egress_run_leaf, s.egress_seen_leaf,
           w.source AS places_source, w.origins AS places, w.leaves AS places_leaves
    FROM per_key p
    LEFT JOIN places w ON w.key = p.key
    LEFT JOIN strange s ON s.key = p.key
    LEFT JOIN siblings b ON b.key = p.key
    LEFT JOIN siblings t ON t.key = b.sibling
"""
"""``places``: a key held by one run that is in one place, seen by one source at several IPv4 addresses of one sort: a
private and a public one may be the two sides of a NAT, and a host changes its IPv6 addresses as it likes. Where two
other runs work at each of them they are exits that many share (a pool of NAT addresses, the nodes of a load balancer).
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at."""

    key: str
    issue_leaf: int | None
    uses: int
    chain_disputed: bool
    issue_disputed: bool
    use_disputed: bool
    workload: str | None
    granularity: str | None
    bound_by: str | None
    seen: int | None
    by_service: int | None
    by_log: int | None
    by_contract: int | None
    unexplained: int | None
    doubtful: int | None
    how: str | None
    fact_leaf: int | None
    run_leaf: int | None
    address_leaf: int | None
    strange_origin: str | None
    strange_other: str | None
    strange_other_leaf: int | None
    strange_leaves: list[int] | None
    strange_calls: int | None
    sibling: str | None
    sibling_origin: str | None
    sibling_leaf: int | None
    sibling_tells: bool | None
    egress: str | None
    egress_how: str | None
    egress_leaf: int | None
    egress_address_leaf: int | None
    egress_run_leaf: int | None
    egress_seen_leaf: int | None
    places_source: str | None
    places: list[str] | None
    places_leaves: list[int] | None
    subject: str | None
    identity_class: str | None


def judge(row: Row, contract: Contract) -> Verdict:
    """Explained throughout: proved. Explained elsewhere and strange here: violated. Strange alone: unproven."""
    if not row.uses:
        return not_applicable("no use was seen")
    if not row.seen:
        return unproven("the uses carry no origin", settles=Settles.ORIGINS)
    if row.unexplained:
        return _strange(row, contract)
    if row.issue_disputed or row.use_disputed:
        return _doubt(row)
    return _explained(row)


def _doubt(row: Row) -> Verdict:
    return unproven(f"{'the issuing record' if row.issue_disputed else 'a record of a use'} is in conflict")


def _explained(row: Row) -> Verdict:
    if row.by_contract:
        return unproven(
            f"{_calls(row.by_contract)} from origins that only the contract explains",
            Best.CLAIMED,
            settles=Settles.OWN_ADDRESSES,
        )
    if not row.by_log:
        return unproven("every call was made by a service on its behalf", Best.INDICATED, settles=Settles.SERVICE)
    if row.bound_by != "issuer" or row.granularity == "account":
        return unproven(
            "the origins fit, but nothing binds the key to one workload", Best.INDICATED, settles=Settles.BINDING
        )
    return proved(
        f"every origin is explained by the log: {row.how}",
        Basis.OBSERVED,
        *_facts(row.fact_leaf, row.run_leaf, row.address_leaf),
    )


def _strange(row: Row, contract: Contract) -> Verdict:
    if row.issue_disputed or row.chain_disputed:
        return unproven("a record of the chain is in conflict")
    if row.strange_origin is None:
        if row.doubtful:
            text = "calls from elsewhere are told by records in conflict alone"
            return unproven(text, Best.INDICATED, settles=Settles.ADDRESSES)
        return unproven("calls from elsewhere were all refused", settles=Settles.ADDRESSES)
    cited = [*(row.strange_leaves or []), *_facts(row.strange_other_leaf)]
    elsewhere = _explained_elsewhere(row, contract)
    if elsewhere is not None and row.strange_other is not None:
        facts = _facts(
            row.egress_leaf, row.egress_address_leaf, row.egress_run_leaf, row.egress_seen_leaf, row.issue_leaf
        )
        count = len({*cited, *facts}) + (row.strange_calls or 0) - len(row.strange_leaves or [])
        text = (
            f"{_calls(row.strange_calls or 0)} from {row.strange_origin}, where a key of "
            f"{_short(row.strange_other)} works; {elsewhere}"
        )
        return violated(text, Basis.OBSERVED, *cited, *facts, count=count)
    if row.sibling is not None:
        return _siblings(row, row.sibling, cited)
    declared = _declared(row, contract)
    if declared and row.strange_other is None:
        text = f"{_calls(row.strange_calls or 0)} from {row.strange_origin}, outside the contract's origins: "
        return indicated(
            text + ", ".join(declared[:3]),
            Severity.MEDIUM,
            *cited,
            settles=Settles.NEIGHBOURS,
            title="used outside its declared origins",
        )
    if row.places is not None:
        return _several(row, row.places)
    return unproven(f"nothing says whether {row.strange_origin} is the workload's", settles=Settles.ADDRESSES)


def _siblings(row: Row, sibling: str, cited: list[int]) -> Verdict:
    """One finding for a pair: on the key that nothing explains; where that is so of both, on the first by name."""
    text = (
        f"{_tail(row.key)} was used from {row.strange_origin}, its sibling {_tail(sibling)} from {row.sibling_origin}"
    )
    leaves = [*cited, *_facts(row.sibling_leaf)]
    if row.sibling_tells:
        return unproven(text, Best.INDICATED, *leaves, settles=Settles.ADDRESSES)
    return indicated(
        text, Severity.MEDIUM, *leaves, settles=Settles.ADDRESSES, title="siblings used from different places"
    )


def _several(row: Row, places: list[str]) -> Verdict:
    """One run is in one place: two addresses that one source saw of it, and that nothing explains, are one too many."""
    more = f" and {len(places) - 2} more" if len(places) > 2 else ""
    return indicated(
        f"held by one run, and used from {places[0]} and {places[1]}{more}, as {row.places_source} saw it",
        Severity.MEDIUM,
        *(row.places_leaves or []),
        settles=Settles.ADDRESSES,
        title="used from several places",
    )


def _explained_elsewhere(row: Row, contract: Contract) -> str | None:
    """The sentence that says where the workload really calls from, None where nothing explains it."""
    if row.egress is not None:
        return f"the workload's own address is {row.egress} ({row.egress_how})"
    declared = _declared(row, contract)
    return f"the workload's own origins are {', '.join(declared[:3])}, says the contract" if declared else None


def _declared(row: Row, contract: Contract) -> tuple[str, ...]:
    of_class = next((each.origins for each in contract.classes if each.name == row.identity_class), ())
    return contract.origins_of(row.workload, row.subject) or of_class


def _calls(number: int) -> str:
    return "1 call" if number == 1 else f"{number} calls"


def _facts(*leaves: int | None) -> list[int]:
    return [leaf for leaf in leaves if leaf is not None]


def _short(principal: str) -> str:
    return principal.rpartition("/")[2].rpartition(":")[2]


def _tail(key: str) -> str:
    return "…" + key[-8:]


RULE = Rule(
    id="used-by-holder",
    title="used by someone else",
    question=Question.HOLDER,
    severity=Severity.HIGH,
    why="A machine's key at work where another principal works is the mark of a stolen key.",
    action="Contain the key (custody contain), then look at what it did and what was made with it.",
    fix="origins: the workload's addresses from its network's log or in the contract",
    controls=("NHI2:2025", "NHI9:2025", "ASI03", "AC-2(12)", "DE.CM-03", "CC7.2"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
