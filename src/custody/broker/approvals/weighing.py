"""What a decision weighs: pure, from the decision, the request's own entry, and what is known of people.

The process that seals decisions asks this before it seals one, the broker asks it again of every one that it finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from custody.broker.approvals.decision import Decision, Given, signed_text
from custody.broker.approvals.people import Persons, person_key
from custody.broker.shown import asked_at, digest_of, lapses, shown_of
from custody.model.broker_terms import Verdict
from custody.model.brokered import Approved, Request
from custody.model.times import microseconds

LEEWAY = 60 * 1_000_000
"""Microseconds by which the clock of the approvals process may be behind the broker's."""

WHY: dict[str, str] = {
    "other-broker": "it is about a request of another broker",
    "unknown-request": "no such request is known",
    "not-asked": "the request asks for no approval",
    "wrong-digest": "it is not about the request exactly as it was shown",
    "too-early": "it was given before the request was made",
    "too-late": "it was given, or found, after the request had lapsed",
    "expired": "the grant had ended by itself",
    "unsigned": "its signature does not hold, or is not the approver's",
    "barred": "its author asked for the credential, acts for who asked, or started the run",
    "not-in-group": "its author does not belong to those who are asked",
    "replayed": "it is a copy of a decision that was sealed before",
    "second-decision": "its author had decided about the request before: the first decision stands",
    "nothing-to-withdraw": "its author had given no grant",
    "withdrawn": "it takes a grant back",
}
"""Every reason why a decision does not count, by the word that ``why`` starts with."""


class Held(msgspec.Struct, frozen=True):
    """A request as the broker wrote it: ``body`` is the entry that asks for approval, in the log of ``broker``."""

    broker: str
    chain: str
    body: Request


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision is weighed by.

    ``groups`` has the members of each group by key, None where they are not known here (then nobody is refused for it).
    ``proved`` are the names that the signature of an SSH decision proves, checked again; of the other methods the
    sealed names are taken, on the word of the log's key. ``now`` is in µs.
    """

    broker: str
    now: int
    persons: Persons
    groups: Mapping[str, Sequence[str]] | None
    proved: tuple[str, ...] = ()


def weigh(decision: Decision, held: Held | None, view: View, before: Iterable[Given]) -> str:
    """Why the decision does not count: a word of ``WHY`` and details after a colon; empty where it counts.

    ``held`` is the request, None where there is none of that id; ``before`` are the decisions at lower leaves that
    ``stand``.
    """
    if decision.broker != view.broker:
        return "other-broker"
    if held is None or held.body.request != decision.request:
        return "unknown-request"
    same = [each for each in before if (each.decision.request, each.decision.broker) == _about(decision)]
    return (
        _exact(decision, held)
        or _timely(decision, held.body, view)
        or _theirs(decision, held.body, view)
        or _first(decision, view, same)
    )


def approved_of(given: Given, held: Held | None, why: str) -> Approved:
    """The entry that the broker writes of a decision."""
    decision = given.decision
    return Approved(
        request=decision.request,
        digest=decision.digest,
        verdict="deny" if decision.verdict == "deny" else "grant",
        approver=decision.approver,
        leaf=given.leaf,
        given=decision.at,
        reason=decision.reason,
        until=decision.until,
        requester=None if held is None else _requester(held.body, decision.approver),
        counts=not why,
        why=why,
    )


def stands(why: str) -> bool:
    """Whether a decision that was weighed so changes what comes after it: it counts, or takes one back that did."""
    return not why or why.startswith("withdrawn")


def names_of(decision: Decision) -> tuple[str, ...]:
    """Everything that the author of a decision is called."""
    return (decision.approver, *decision.names)


def _about(decision: Decision) -> tuple[str, str]:
    return decision.request, decision.broker


def _exact(decision: Decision, held: Held) -> str:
    request = held.body
    if request.decision.verdict is not Verdict.APPROVAL or request.decision.asked is None:
        return "not-asked"
    exact = digest_of(shown_of(request, held.broker, held.chain))
    if request.digest != exact or decision.digest != exact or decision.chain != held.chain:
        return "wrong-digest"
    return ""


def _timely(decision: Decision, request: Request, view: View) -> str:
    """Both clocks count: of whoever sealed it, which says when it was given, and of whoever looks."""
    at, until, end = _moment(decision.at), _moment(decision.until), lapses(request)
    if at is None or end is None or (decision.until is not None and until is None):
        return "too-late: a time that cannot be read"
    if at < asked_at(request.request) - LEEWAY:
        return "too-early"
    if max(at, view.now) >= end:
        return "too-late"
    return "expired" if until is not None and view.now >= until else ""


def _theirs(decision: Decision, request: Request, view: View) -> str:
    if decision.method == "ssh" and decision.approver not in view.proved:
        return "unsigned"
    bar = view.persons.bar(request, names_of(decision))
    if bar is not None:
        return f"barred: {bar.part}"
    group = request.decision.asked.group if request.decision.asked is not None else ""
    return "" if _belongs(decision, group, view) else f"not-in-group: {group}"


def _belongs(decision: Decision, group: str, view: View) -> bool:
    """By the broker's file, or by the groups of a token that was checked. What a webhook says of groups is not taken.

    A group whose members are listed has those alone.
    """
    if view.groups is None:
        return True
    if group in view.groups:
        return any(name in view.groups[group] for name in (decision.approver, *view.proved))
    return decision.method == "oidc" and group in decision.groups


def _first(decision: Decision, view: View, before: Sequence[Given]) -> str:
    """The first decision of a person stands; only who gave a grant takes it back, and then it stays taken back."""
    own = [each for each in before if view.persons.one(names_of(each.decision), names_of(decision))]
    if decision.verdict == "withdraw":
        standing = [each for each in own if each.decision.approver == decision.approver]
        verdicts = [each.decision.verdict for each in standing]
        if "grant" not in verdicts[:1]:
            return "nothing-to-withdraw"
        return "second-decision" if "withdraw" in verdicts else f"withdrawn: {standing[0].leaf}"
    if not own:
        return ""
    copied = any(signed_text(each.decision) == signed_text(decision) for each in own)
    return f"{'replayed' if copied else 'second-decision'}: {own[0].leaf}"


def _requester(body: Request, approver: str) -> str | None:
    """Who asked, where they are a person of the same system as the approver."""
    people = [person_key(body.proof.issuer, body.proof.subject)] if body.proof.person else []
    people += [person_key(each.issuer or body.proof.issuer, each.subject) for each in body.actors]
    return next((key for key in people if key.split(":", 2)[:2] == approver.split(":", 2)[:2]), None)


def _moment(text: str | None) -> int | None:
    try:
        return microseconds(text)
    except (ValueError, TypeError, OverflowError):
        return None
