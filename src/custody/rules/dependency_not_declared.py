"""Was a credential used on, or exchanged for, what neither its class nor the register declares?

Only where dependencies are declared. The verifier's own record of a success outside of what the class lists violates
the contract. What the register lists is somebody's claim of how things are: a use outside of it is worth a look, and
the register may be what is wrong. One finding a principal.
"""

import msgspec

from custody.model.contracts import Contract
from custody.model.verdicts import Basis, Severity, Verdict, indicated, violated
from custody.rules import targets
from custody.rules.packed import PRINCIPAL, framed, named, unframed
from custody.rules.rule import Rule
from custody.rules.shared_names import SAME_NAME, of_many_servers
from custody.rules.targets import Target

FACTS = f"""
    WITH chosen AS ({targets.CHOSEN}), used AS ({targets.USED_ON}), told AS (
        SELECT {PRINCIPAL} AS principal, c.contract_version, c.identity_class, h.identity, u.service, u.resource,
               u.led_to, sum(u.calls) AS calls, min(u.leaf) AS leaf, min(u.key) AS key
        FROM used u
        JOIN credentials c ON c.key = u.key
        JOIN chosen h ON h.key = u.key
        GROUP BY {PRINCIPAL}, c.contract_version, c.identity_class, h.identity, u.service, u.resource, u.led_to
    ), listed AS (
        SELECT t.principal, array_sort(array_agg(DISTINCT d.value)) AS patterns
        FROM told t
        JOIN claims d ON d.identity = t.identity AND d.field = 'dependency' AND d.state = 'held'
        GROUP BY t.principal
    )
    SELECT u.principal AS subject, {named("u.principal")} AS who, CAST(NULL AS VARCHAR) AS key, u.contract_version,
           array_sort(array_agg({framed("u.identity_class", "u.key", targets.TARGET)})) AS used,
           min(l.patterns) AS listed
    FROM told u
    LEFT JOIN listed l ON l.principal = u.principal
    GROUP BY u.principal, u.contract_version
"""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The facts that this rule looks at: all that one principal's credentials were used on."""

    subject: str
    who: str
    key: str | None
    contract_version: int
    used: list[str]
    listed: list[str] | None


def judge(row: Row, contract: Contract) -> Verdict | None:
    """Violated by a use outside of what its class declares; indicated outside of what the register declares."""
    used = [_read(text) for text in row.used]
    broken: list[Target] = []
    unsure: list[Target] = []
    for name in {name for name, _, _ in used}:
        patterns = targets.declared(contract, name)
        there = {target: key for of, key, target in used if of == name}
        for each in targets.outside(there, patterns) if patterns else ():
            (unsure if of_many_servers(there[each], None) else broken).append(each)
    if broken:
        told = _told(broken, "its class does not declare")
        return _counted(violated(told, Basis.OBSERVED, *_leaves(broken)), broken)
    if unsure:
        told = f"{_told(unsure, 'its class does not declare')}; {SAME_NAME}"
        return _counted(indicated(told, Severity.LOW, *_leaves(unsure)), unsure)
    return _of_register(row, [target for _, _, target in used])


def _of_register(row: Row, used: list[Target]) -> Verdict | None:
    found = targets.outside(used, row.listed) if row.listed else []
    if not found:
        return None
    told = _told(found, "the register does not list among its dependencies")
    return _counted(indicated(told, Severity.LOW, *_leaves(found)), found)


def _read(text: str) -> tuple[str, str, Target]:
    name, key, rest = unframed(text)
    return name, key, targets.read(rest)


def _leaves(found: list[Target]) -> list[int]:
    return [each.leaf for each in found]


def _told(found: list[Target], what: str) -> str:
    calls = sum(each.calls for each in found)
    ranked = sorted(found, key=lambda each: (-each.calls, each.shown))
    names = list(dict.fromkeys(each.shown for each in ranked))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{'1 call' if calls == 1 else f'{calls} calls'} on what {what}: {', '.join(names[:3])}{more}"


def _counted(verdict: Verdict, found: list[Target]) -> Verdict:
    return msgspec.structs.replace(verdict, count=sum(each.calls for each in found))


RULE = Rule(
    id="dependency-not-declared",
    title="used on what is not declared",
    question=None,
    severity=Severity.MEDIUM,
    why="What nobody declared nobody reviewed: it is either missing from the contract or should not happen.",
    action="Declare the dependency, with its owner's consent, or take the right away and look at what was done.",
    fix="",
    controls=("NHI5:2025", "ASI02", "PR.AA-05", "AC-6", "CC6.3", "ISO27001 A.8.3"),
    row=Row,
    judge=judge,
    facts=FACTS,
)
