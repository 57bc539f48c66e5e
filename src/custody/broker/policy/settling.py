"""From what an engine said to a decision: what allows, what approvals are asked for, what is a deny. Pure.

Only a clean Allow can allow. A permit with ``@approval`` then counts only when its approvals are there: where every
permit that determined the Allow still lacks some, the verdict is that people have to approve. Of several such permits
the one is asked for that lacks the fewest people, then needs the fewest, then comes first by id.
"""

from __future__ import annotations

import msgspec

from custody.broker.policy.policy_set import PolicySet
from custody.broker.policy.texts import Policy
from custody.model.broker_terms import Asked, Verdict

NO_PERMIT = "no-permit-matched"
FORBIDDEN = "forbidden"
ERRORS = "engine-errors"
CONTAINED = "contained"

Approvers = list[tuple[str, tuple[str, ...]]]


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict and the ids that determined it; ``max_ttl`` in seconds, None where nothing bounds it."""

    verdict: Verdict
    ids: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    why: str = ""
    asked: Asked | None = None
    max_ttl: int | None = None


def failed(*errors: str) -> Settled:
    """A deny because something went wrong: never anything else."""
    return Settled(verdict=Verdict.DENY, errors=errors or ("unknown",), why=ERRORS)


def settled(
    said: str, reasons: tuple[str, ...], errors: tuple[str, ...], policies: PolicySet, approvers: Approvers
) -> Settled:
    """What holds, when the engine ``said`` Allow, Deny or anything else, for ``reasons`` (policy ids)."""
    known = [policies.policies[name] for name in reasons if name in policies.policies]
    effect = "permit" if said == "Allow" else "forbid"
    if errors or len(known) != len(reasons) or any(each.effect != effect for each in known):
        ids = tuple(sorted(each.id for each in known if each.effect == "forbid"))
        return msgspec.structs.replace(failed(*(errors or ("reasons that are no policies of this set",))), ids=ids)
    if said == "Allow" and known:
        return _allowed(known, approvers)
    if said != "Deny":
        return failed("no decision")
    return Settled(
        verdict=Verdict.DENY,
        ids=tuple(sorted(each.id for each in known)),
        why=FORBIDDEN if known else NO_PERMIT,
    )


def lacking(asked: Asked, approvers: Approvers) -> int:
    """How many people of the group have yet to approve."""
    return max(0, asked.count - sum(asked.group in groups for _, groups in approvers))


def _allowed(permits: list[Policy], approvers: Approvers) -> Settled:
    effective = [each for each in permits if each.asked is None or not lacking(each.asked, approvers)]
    if effective:
        return Settled(verdict=Verdict.ALLOW, ids=_ids(effective), max_ttl=_longest(effective))
    first = min(permits, key=lambda each: _cost(each, approvers))
    alike = [each for each in permits if each.asked == first.asked]
    return Settled(verdict=Verdict.APPROVAL, ids=_ids(alike), asked=first.asked, max_ttl=_longest(alike))


def _cost(permit: Policy, approvers: Approvers) -> tuple[int, int, str]:
    assert permit.asked is not None  # a permit that asks for nothing is effective
    return lacking(permit.asked, approvers), permit.asked.count, permit.id


def _longest(permits: list[Policy]) -> int | None:
    """The greatest bound: each permit stands for itself, so one without a bound leaves none."""
    bounds = [each.max_ttl for each in permits]
    return None if None in bounds else max(bound for bound in bounds if bound is not None)


def _ids(policies: list[Policy]) -> tuple[str, ...]:
    return tuple(sorted(each.id for each in policies))
