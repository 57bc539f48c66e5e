"""What may be asked for at all: bounds and sense of an intent, before any policy sees it. Pure.

And what it takes that something is issued under break-glass: ``broken``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from custody.broker.backends.backend import Made
from custody.broker.policy.engine import PolicyEngine, Situation
from custody.errors import IntentRefused
from custody.model.broker_terms import Decision, Intent, Verdict
from custody.model.brokered import CHAIN, Glass
from custody.model.times import text

MOST_VALUES, MOST_TEXT, MOST_DETAILS, MOST_DETAIL = 16, 512, 8, 4096
"""Values in a list, characters of a text, entries of ``authorization_details``, bytes of each."""
LONGEST = 7 * 24 * 3600
"""The longest life that anybody may ask for, in seconds."""
GLASS_TTL = 3600
"""The longest life of what is issued under break-glass, in seconds."""
GLASS = "break-glass"
"""Why such a thing was allowed, and why it ends when the second one denies it."""

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_CHAIN = re.compile(CHAIN, re.ASCII)


def check(intent: Intent, secretive: Callable[[str], bool] = lambda _: False) -> Intent:
    """The intent, where it is within bounds. IntentRefused names the parameter, never repeats its text.

    ``secretive`` says whether a text holds what looks like a secret: none is to be sealed or kept.
    """
    for name, value in _texts(intent):
        _check_text(name, value, secretive)
    for name, values in (("resource", intent.resource), ("audience", intent.audience), ("scope", intent.scope)):
        if len(values) > MOST_VALUES or len(set(values)) != len(values):
            raise _refused("invalid-parameter", name, f"at most {MOST_VALUES} values, none twice")
    if intent.ttl is not None and not 1 <= intent.ttl <= LONGEST:
        raise _refused("invalid-parameter", "ttl", f"1 to {LONGEST} seconds")
    for name, chain in (("parent", intent.parent), ("renews", intent.renews)):
        if chain is not None and not _CHAIN.fullmatch(chain):
            raise _refused("invalid-parameter", name, "a chain id")
    if intent.renews is not None and not (intent.reason or "").strip():
        raise _refused("reason-missing", "reason", "why it is renewed")
    if intent.break_glass:
        _check_break_glass(intent)
    _check_details(intent.details, secretive)
    return intent


def broken(policies: PolicyEngine, situation: Situation, chain: str) -> Decision:
    """What the policies say of a break-glass: an allow that asks for approvals afterwards, or a deny. Pure.

    It is asked for as the action ``BreakGlass``; what forbids an ``Issue`` forbids it, too. A permit counts only where
    it would not hold without ``context.break_glass``, and where it says who approves (``@approval("1 of …")``).
    """
    situation = msgspec.structs.replace(situation, action="BreakGlass", break_glass=glass_of(chain))
    usual = policies.decide(msgspec.structs.replace(situation, action="Issue"))
    if usual.errors or (usual.verdict is Verdict.DENY and usual.policies):
        return usual
    decision = policies.decide(situation)
    if decision.verdict is Verdict.DENY:
        return decision
    plain = policies.decide(msgspec.structs.replace(situation, break_glass=None))
    unsaid = plain.errors or (plain.verdict is Verdict.DENY and plain.policies)
    if unsaid or not {each.id for each in decision.policies} - {each.id for each in plain.policies}:
        return denied(decision, "break-glass-not-named")
    if decision.asked is None:
        return denied(decision, "break-glass-without-approval")
    if decision.asked.count != 1:  # what is found afterwards is whether a second one approved, not how many did
        return denied(decision, "break-glass-approval-of-several")
    return msgspec.structs.replace(decision, verdict=Verdict.ALLOW, why=GLASS)


def glass_of(chain: str) -> str:
    """The id of the break-glass that a chain was issued under: the chain's own, with ``bg-``."""
    return f"bg-{chain.removeprefix('cc-')}"


def denied(decision: Decision, why: str) -> Decision:
    """The decision as a deny, whatever the policies said."""
    return msgspec.structs.replace(decision, verdict=Verdict.DENY, why=why, policies=(), max_ttl=None, asked=None)


def aloud(intent: Intent, chain: str, made: Made, by: str, due: tuple[str | None, str | None]) -> tuple[Glass, Glass]:
    """What is said of a credential under break-glass: that it was issued, and which request people have to approve.

    ``due`` is that request, and by when.
    """
    glass, reason = glass_of(chain), intent.reason or ""
    told = Glass(
        step="issued", glass=glass, people=(by,), reason=reason, keys=made.keys, not_after=text(made.not_after)
    )
    return told, Glass(step="review-by", glass=glass, reason=due[0] or "", not_after=due[1])


def _check_break_glass(intent: Intent) -> None:
    """It is asked for with a reason and a ticket, or not at all."""
    for name, expected in (("reason", "why nobody can approve first"), ("ticket", "the incident that it is for")):
        if not (getattr(intent, name) or "").strip():
            raise _refused(f"{name}-missing", name, expected)


def _check_text(name: str, value: str, secretive: Callable[[str], bool]) -> None:
    if not value or len(value) > MOST_TEXT:
        raise _refused("invalid-parameter", name, f"1 to {MOST_TEXT} characters")
    if secretive(value):
        raise _refused("holds-a-secret", name, "text without a password, key or token")
    if _UNSEEN.search(value):
        raise _refused("invalid-parameter", name, "text without controls or invisible characters")


def _texts(intent: Intent) -> Iterator[tuple[str, str]]:
    for name in ("resource", "audience", "scope"):
        yield from ((name, value) for value in getattr(intent, name))
    for name in ("backend", "purpose", "ticket", "run", "reason"):
        value = getattr(intent, name)
        if value is not None:
            yield name, value


def _check_details(details: tuple[str, ...], secretive: Callable[[str], bool]) -> None:
    if len(details) > MOST_DETAILS:
        raise _refused("invalid-authorization-details", "authorization_details", f"at most {MOST_DETAILS}")
    for detail in details:
        if len(detail.encode("utf-8", "replace")) > MOST_DETAIL:
            raise _refused(
                "invalid-authorization-details", "authorization_details", f"at most {MOST_DETAIL} bytes each"
            )
        try:
            found = msgspec.json.decode(detail)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            found = None
        if secretive(detail):
            raise _refused("holds-a-secret", "authorization_details", "text without a password, key or token")
        if not isinstance(found, dict) or not isinstance(found.get("type"), str):
            raise _refused("invalid-authorization-details", "authorization_details", "objects with a type (RFC 9396)")


def _refused(reason: str, name: str, expected: str) -> IntentRefused:
    return IntentRefused("a parameter is not valid", reason=reason, where=name, expected=expected)
