"""Is a credential bound as finely as the contract asks of its risk?

``provenance`` says how finely credentials of a risk must be bound, ``risk`` of a class which it is. One finding a
principal. Where the class itself asks for a granularity and does not get it, the question "bound at issue" says so of
each credential, and this rule is silent.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.events import Granularity
from custody.model.verdicts import Basis, Severity, Verdict, indicated, violated
from custody.rules.asked import of_class, of_contract
from custody.rules.packed import PRINCIPAL, named, packed, unpacked
from custody.rules.rule import Rule

FINENESS = [each.value for each in Granularity]

FACTS = f"""
    WITH bound AS (
        SELECT {PRINCIPAL} AS principal, c.contract_version, c.identity_class,
               CASE WHEN c.bound_by = 'issuer' AND c.workload IS NOT NULL THEN c.granularity END AS granularity,
               c.issue_leaf
        FROM credentials c
        WHERE c.population = 'machine' AND c.issue_leaf IS NOT NULL AND NOT c.issue_disputed
          AND {of_class("risk")} AND {of_contract("provenance")}
    ), numbered AS (
        SELECT principal, contract_version, identity_class, granularity, count(*) AS credentials,
               min(issue_leaf) AS leaf
        FROM bound
        GROUP BY principal, contract_version, identity_class, granularity
    )
    SELECT n.principal AS subject, {named("n.principal")} AS who, CAST(NULL AS VARCHAR) AS key, n.contract_version,
           array_sort(array_agg({packed("n.leaf", "n.credentials", "n.granularity", "n.identity_class")})) AS bound
    FROM numbered n
    GROUP BY n.principal, n.contract_version
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: how finely one principal's credentials were bound."""

    subject: str
    who: str
    key: str | None
    contract_version: int
    bound: list[str]


def judge(row: Row, contract: Contract) -> Verdict | None:
    """Violated where the issuer bound more coarsely than its risk asks; indicated where it bound to nothing."""
    coarse: list[tuple[int, int, str, str]] = []
    loose: list[tuple[int, int, str, str]] = []
    for leaf, held, granularity, name in map(_read, row.bound):
        wanted = _wanted(contract, name, granularity)
        if wanted is not None:
            (coarse if granularity else loose).append((leaf, held, granularity, wanted))
    found = coarse or loose
    if not found:
        return None
    number = sum(held for _, held, _, _ in found)
    credentials = "1 credential is" if number == 1 else f"{number} credentials are"
    how = f"bound to {_article(found[0][2])} only" if coarse else "bound to nothing that the issuing record names"
    told = f"{credentials} {how}; its risk asks for {_article(found[0][3])}"
    leaves = [leaf for leaf, _, _, _ in found]
    if coarse:
        return violated(told, Basis.OBSERVED, *leaves, count=number)
    return msgspec.structs.replace(indicated(told, Severity.LOW, *leaves), count=number)


def _wanted(contract: Contract, name: str, granularity: str) -> str | None:
    """What the risk of a class asks for, where this binding falls short of it and no other rule says so."""
    one = next((each for each in contract.classes if each.name == name), None)
    wanted = dict(contract.provenance).get(one.risk or "") if one is not None else None
    if one is None or wanted is None or not _short(granularity, wanted):
        return None
    told = one.granularity is not None and granularity and _short(granularity, one.granularity)
    return None if told else wanted.value


def _short(granularity: str, wanted: Granularity) -> bool:
    return not granularity or FINENESS.index(granularity) < FINENESS.index(wanted)


def _article(granularity: str) -> str:
    return f"an {granularity}" if granularity[0] in "ai" else f"a {granularity}"


def _read(text: str) -> tuple[int, int, str, str]:
    leaf, credentials, granularity, name = unpacked(text, 4)
    return int(leaf), int(credentials), granularity, name


RULE = Rule(
    id="coarse-binding",
    title="bound more coarsely than its risk asks",
    question=None,
    severity=Severity.MEDIUM,
    why="The more a credential could do, the more closely one must be able to say which run held it.",
    action="Issue it to the pod, job or process itself, where its platform can attest that.",
    fix="",
    controls=("NHI4:2025", "ASI03", "PR.AA-02", "IA-9", "CC6.1"),
    row=Row,
    judge=judge,
    excusable=True,
    facts=FACTS,
)
