"""Did one identity work in an environment that its class does not list, or in two that a contract keeps apart?

An environment is what the contract says: accounts, and patterns on keys. Where a principal lives, what its credentials
were bound to by their issuer, and where a verifier recorded a success of theirs, places it. Principals are judged one
by one: a service that the register knows under a role in each environment has two identities, as it should. A name that
two servers may both have (a role of a database) violates nothing: each environment may have one of its own.
"""

import msgspec

from custody.model.contracts import Contract, Environment, matches
from custody.model.keys import aws_arn, names_of
from custody.model.verdicts import Basis, Severity, Verdict, indicated, violated
from custody.rules.asked import of_contract
from custody.rules.packed import PRINCIPAL, named, packed, unpacked
from custody.rules.rule import Rule
from custody.rules.shared_names import SAME_NAME, of_many_servers

FACTS = f"""
    WITH chosen AS (
        SELECT c.key, {PRINCIPAL} AS principal, c.contract_version, coalesce(c.identity_class, '') AS class,
               c.issue_leaf, c.first_use_leaf, CASE WHEN c.bound_by = 'issuer' THEN c.workload END AS workload
        FROM credentials c
        WHERE c.population = 'machine' AND NOT c.issue_disputed AND NOT c.chain_disputed
          AND {of_contract("environments")}
    ), seen AS (
        SELECT h.principal, h.contract_version, h.class, 'key' AS sort, h.principal AS value,
               min(coalesce(h.issue_leaf, h.first_use_leaf)) AS leaf
        FROM chosen h GROUP BY h.principal, h.contract_version, h.class
        UNION ALL
        SELECT h.principal, h.contract_version, h.class, 'key', h.workload, min(h.issue_leaf)
        FROM chosen h WHERE h.workload IS NOT NULL AND h.issue_leaf IS NOT NULL
        GROUP BY h.principal, h.contract_version, h.class, h.workload
        UNION ALL
        SELECT h.principal, h.contract_version, h.class, 'account', p.account, min(p.leaf)
        FROM parts p JOIN chosen h ON h.key = p.key
        WHERE p.stage = 'use' AND p.outcome = 'success' AND p.invoked_by IS NULL AND NOT p.in_conflict
          AND p.account IS NOT NULL
        GROUP BY h.principal, h.contract_version, h.class, p.account
        UNION ALL
        SELECT h.principal, h.contract_version, h.class, 'resource', p.resource, min(p.leaf)
        FROM parts p JOIN chosen h ON h.key = p.key
        WHERE p.stage = 'use' AND p.outcome = 'success' AND p.invoked_by IS NULL AND NOT p.in_conflict
          AND p.resource IS NOT NULL
        GROUP BY h.principal, h.contract_version, h.class, p.resource
    ), listed AS (
        SELECT h.principal, array_sort(array_agg(DISTINCT d.value)) AS environments
        FROM chosen h
        JOIN key_identities k ON k.key = h.key
        JOIN claims d ON d.identity = k.identity AND d.field = 'environment' AND d.state = 'held'
        WHERE d.said_by LIKE 'register:%'
        GROUP BY h.principal
    )
    SELECT s.principal AS subject, {named("s.principal")} AS who, CAST(NULL AS VARCHAR) AS key, s.contract_version,
           array_sort(array_agg({packed("s.leaf", "s.sort", "s.class", "s.value")})) AS seen,
           min(l.environments) AS listed
    FROM seen s
    LEFT JOIN listed l ON l.principal = s.principal
    WHERE s.leaf IS NOT NULL
    GROUP BY s.principal, s.contract_version
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: where one principal was seen."""

    subject: str
    who: str
    key: str | None
    contract_version: int
    seen: list[str]
    listed: list[str] | None


def judge(row: Row, contract: Contract) -> Verdict | None:
    """Violated in an environment that its class does not list; in two without a list, indicated."""
    places: dict[str, int] = {}
    strange: dict[str, int] = {}
    lists = {each.name: each.environments for each in contract.classes}
    for leaf, sort, name, value in map(_read, row.seen):
        for environment in contract.environments:
            if _in(environment, sort, value):
                _keep(places, environment.name, leaf)
                allowed = lists.get(name, ())
                if allowed and environment.name not in allowed:
                    _keep(strange, environment.name, leaf)
    if strange:
        told = f"at work in {_names(strange)}; its class is of no such environment"
        where = f" (seen in {_names(places)})" if len(places) > 1 else ""
        if of_many_servers(row.subject, None):
            return indicated(f"{told}{where}; {SAME_NAME}", Severity.LOW, *strange.values(), *places.values())
        return violated(f"{told}{where}", Basis.OBSERVED, *strange.values(), *places.values())
    if len(places) < 2 or _all_listed(row, lists, places):
        return None
    told = f"at work in {_names(places)}, which the contract keeps apart; nothing says that it belongs to both"
    if of_many_servers(row.subject, None):
        return indicated(f"{told}; {SAME_NAME}", Severity.LOW, *places.values())
    return indicated(told, Severity.MEDIUM, *places.values())


def _all_listed(row: Row, lists: dict[str, tuple[str, ...]], places: dict[str, int]) -> bool:
    """Whether its classes or the register list every environment that it was seen in."""
    by_class = {each for _, _, name, _ in map(_read, row.seen) for each in lists.get(name, ())}
    return set(places) <= by_class | set(row.listed or ())


def _read(text: str) -> tuple[int, str, str, str]:
    leaf, sort, name, value = unpacked(text, 4)
    return int(leaf), sort, name, value


def _in(environment: Environment, sort: str, value: str) -> bool:
    if sort == "account":
        return value in environment.accounts
    names = names_of(aws_arn(value)) if value.startswith("arn:") else names_of(value)
    if sort == "key" and value.startswith("aws_arn:") and value.split(":", 2)[1] in environment.accounts:
        return True
    return any(matches(glob, name) for glob in environment.match for name in names)


def _keep(found: dict[str, int], name: str, leaf: int) -> None:
    found[name] = min(leaf, found.get(name, leaf))


def _names(found: dict[str, int]) -> str:
    return " and ".join(sorted(found))


RULE = Rule(
    id="two-environments",
    title="one identity in two environments",
    question=None,
    severity=Severity.HIGH,
    why="Whoever takes the weaker environment has the stronger one with it.",
    action="Give each environment an identity of its own, and take the trust between them away.",
    fix="",
    controls=("NHI8:2025", "ASI03", "PR.AA-05", "AC-6", "CC6.1", "ISO27001 A.5.15"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
