"""Findings that somebody bears for a while: by an exception of their class, or by a suppression.

Nothing goes away: verdicts stay what they are and violations stay counted. An exception lowers the severity of a
finding that is about the demands of its class by one step, and says so on it. A suppression takes a finding out of the
list and into a list of its own. Both are those of the version that holds at the time of judgement: they are about what
is done now, not about what was right when something happened.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from custody.model.contracts import Contract, Exempt, SealedContract, Suppression, Versions, matches
from custody.model.keys import names_of
from custody.model.times import text
from custody.model.verdicts import Borne, Finding, Severity

LONGEST = 400 * 86_400_000_000
"""A suppression ends this long after the sealing of the version that holds it (µs), whatever it says."""

SEVERITIES = list(Severity)


class Suppressed(msgspec.Struct, frozen=True):
    """The findings that stay, those that are suppressed, and the suppressions that no finding matches."""

    findings: list[Finding]
    suppressed: list[Finding]
    unmatched: tuple[str, ...]


def exceptions(contract: Contract, as_of: int | None) -> dict[str, Exempt]:
    """The exceptions in force at ``as_of`` (µs), by class."""
    found = ((each.name, each.exception) for each in contract.classes)
    return {name: one for name, one in found if one is not None and (as_of is None or one.until > as_of)}


def excepted(found: Finding, exempt: Exempt) -> Finding:
    """The finding under the exception of its class: a step less severe, never gone."""
    lower = SEVERITIES[max(SEVERITIES.index(found.severity) - 1, 0)]
    borne = Borne(owner=exempt.owner, reason=exempt.reason, until=text(exempt.until) or "")
    return msgspec.structs.replace(found, severity=lower, excepted=borne)


def suppress(findings: Sequence[Finding], versions: Versions, as_of: int | None) -> Suppressed:
    """Divide the findings. Where several suppressions name one, the one that lasts longest counts.

    One that has ended leaves its finding in the list, and says there that it has. No version of the contract excuses
    itself: what is found of it stays.
    """
    index = versions.index_at(as_of)
    held = versions.sealed[index] if index >= 0 else SealedContract(contract=versions.contract(index))
    ends = {one: _end(one, held.at) for one in held.contract.suppressions}
    by_id = {one.finding: one for one in ends if one.finding is not None}
    by_rule: dict[str, list[Suppression]] = {}
    for one in ends:
        by_rule.setdefault(one.rule or "", []).append(one)
    used: set[Suppression] = set()
    stay: list[Finding] = []
    gone: list[Finding] = []
    for found in findings:
        own = found.subject.startswith(f"contract:{held.contract.digest}")
        named = [] if own else list(_naming(found, by_id, by_rule))
        used.update(named)
        best = max(named, key=lambda one: (ends[one], one.reason, one.owner), default=None)
        over = best is not None and as_of is not None and ends[best] <= as_of
        if best is not None:
            borne = Borne(owner=best.owner, reason=best.reason, until=text(ends[best]) or "", over=over)
            found = msgspec.structs.replace(found, suppressed=borne)  # noqa: PLW2901
        (stay if best is None or over else gone).append(found)
    return Suppressed(stay, gone, tuple(_said(one) for one in held.contract.suppressions if one not in used))


def _end(one: Suppression, sealed: int) -> int:
    """When it ends. What was never sealed (``Versions.of``) has no time to count from."""
    return min(one.until, sealed + LONGEST) if sealed else one.until


def _naming(
    found: Finding, by_id: Mapping[str, Suppression], by_rule: Mapping[str, Sequence[Suppression]]
) -> Iterator[Suppression]:
    """The suppressions that mean a finding; a subject goes by every name of its key."""
    if found.id in by_id:
        yield by_id[found.id]
    names = (found.subject, *names_of(found.subject))
    for one in by_rule.get(found.rule, ()):
        if any(matches(one.subject or "", name) for name in names):
            yield one


def _said(one: Suppression) -> str:
    return one.finding or f"{one.rule} on {one.subject}"
