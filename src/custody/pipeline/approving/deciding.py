"""Sealing a decision in the log of approvals, by the process and key of whoever approves.

1. the request is read from the sealed operations log, and its digest is that of its text
2. the digest that the caller was shown is that one
3. the decision is weighed as the broker will weigh it, and refused where it would not count
4. it is sealed under the lock of the log of approvals, over what stands there then
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from custody.broker.approvals.decision import Decision, Given, cleaned, fields_of, read, signed_text
from custody.broker.approvals.people import Persons
from custody.broker.approvals.weighing import WHY, View, stands, weigh
from custody.errors import IntentRefused, PolicyDenied, StoreLocked
from custody.ledger.entry import statement_entry
from custody.model.times import microseconds, text
from custody.pipeline import approvals, sealed_text, signatures
from custody.pipeline.approvals import Log
from custody.pipeline.approving.requests import Shown
from custody.pipeline.approving.standing import Groups, weighed
from custody.store.approvals import ApprovalsWriter

PATIENCE = 10.0
"""Seconds to wait while another decision is being sealed."""
POLL = 0.02
SECOND = 1_000_000

Verdict = Literal["grant", "deny", "withdraw"]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody decides. ``until`` (RFC 3339) ends a grant before the request lapses; None: not before."""

    verdict: Verdict
    reason: str
    until: str | None = None


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """Who decides, as far as that was checked: the fields of ``Decision`` of the same names.

    ``allowed`` is the allowed-signers file of an SSH signature, which is sealed with it; ``proved`` what it proves.
    """

    approver: str
    method: Literal["ssh", "oidc", "webhook"]
    names: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    proved: tuple[str, ...] = ()
    signature: str | None = None
    allowed: bytes | None = None
    oidc: Mapping[str, object] | None = None
    webhook: str | None = None
    message: str | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where decisions are sealed, by which account, and what is known of people."""

    root: Path
    keys: Path
    by: str
    groups: Groups
    persons: Persons


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that is sealed at ``leaf``. ``sealed`` is False where this very message had been sealed before."""

    leaf: int
    decision: Decision
    sealed: bool


def drafted(shown: Shown, wanted: Wanted, now: int) -> Decision:
    """The decision without its author: what is to be signed is in it. IntentRefused where it cannot be made.

    A grant ends when the request lapses, or earlier.
    """
    try:
        reason, until = cleaned(wanted.reason), microseconds(wanted.until)
    except ValueError as error:
        raise IntentRefused("the decision cannot be made so", reason="reason-or-time", found=str(error)) from None
    if until is not None and not now < until <= shown.until:
        raise IntentRefused(
            "a grant ends between now and when the request lapses",
            reason="until",
            found=str(wanted.until)[:40],
            expected=f"at most {text(shown.until)}",
        )
    return Decision(
        request=shown.request.request,
        broker=shown.entry.broker,
        chain=shown.entry.chain or "",
        digest=shown.digest,
        verdict=wanted.verdict,
        approver="",
        method="oidc",
        reason=reason,
        at=str(text(now - now % SECOND)),
        until=text(until or shown.until) if wanted.verdict == "grant" else None,
    )


def decide(place: Place, shown: Shown, draft: Decision, who: Who, now: int) -> Decided:
    """Seal a drafted decision as that of ``who``. PolicyDenied and IntentRefused with the word why it would not count.

    StoreLocked where the log of approvals stays locked for longer than ``PATIENCE``.
    """
    signers = None if who.allowed is None else sealed_text.digest(who.allowed)
    decision = msgspec.structs.replace(
        draft,
        at=str(text(now - now % SECOND)),
        by=place.by,
        signers=signers,
        **{name: getattr(who, name) for name in _OF_WHO},
    )
    statement_entry(decision.what, fields_of(decision))  # too long for an entry: refused before anything is locked
    with _opened(place, time.monotonic, time.sleep) as writer:
        log = approvals.everything(place.root)
        known = _known(log, decision)
        if known is not None:
            return Decided(leaf=known.leaf, decision=known.decision, sealed=False)
        _refuse(_why(place, shown, decision, who, log, now), shown)
        if who.allowed is not None and signers not in _signers(log):
            sealed_text.seal(writer, signatures.SIGNERS, who.allowed, {"at": decision.at})
        return Decided(leaf=writer.seal(decision.what, fields_of(decision)), decision=decision, sealed=True)


_OF_WHO = ("approver", "method", "names", "groups", "signature", "oidc", "webhook", "message")


def ssh_who(allowed: bytes, armored: bytes, names: Sequence[str]) -> Who:
    """Somebody whose SSH signature was checked: ``names`` are their keys, as the allowed-signers file has them."""
    return Who(
        approver=names[0],
        method="ssh",
        names=tuple(names[1:]),
        proved=tuple(names),
        signature=armored.decode("ascii"),
        allowed=allowed,
    )


def signable(draft: Decision) -> bytes:
    """What has to be signed for a drafted decision, in the namespace ``custody-approval``."""
    return signed_text(draft)


def _why(place: Place, shown: Shown, decision: Decision, who: Who, log: Log, now: int) -> str:
    """Why it would not count, over all that is sealed about the request."""
    before = [each.given for each in weighed(shown, log, place.persons, place.groups) if stands(each.why)]
    view = View(broker=shown.entry.broker, now=now, persons=place.persons, groups=place.groups, proved=who.proved)
    return weigh(decision, shown.held, view, before)


def _refuse(why: str, shown: Shown) -> None:
    if stands(why):
        return
    word, _, detail = why.partition(": ")
    kind = PolicyDenied if word in ("barred", "not-in-group") else IntentRefused
    raise kind(f"the decision would not count: {WHY[word]}", reason=word, where=shown.request.request, found=detail)


def _known(log: Log, decision: Decision) -> Given | None:
    """The same message of the same webhook, sealed before; IntentRefused where its id stands for something else."""
    if decision.message is None:
        return None
    for said in log.said:
        given = read(said.leaf, said.entry)
        if given is None or (given.decision.webhook, given.decision.message) != (decision.webhook, decision.message):
            continue
        if signed_text(given.decision) == signed_text(decision) and given.decision.approver == decision.approver:
            return given
        raise IntentRefused("the id of the message was used for another", reason="replayed", found=decision.message)
    return None


def _signers(log: Log) -> set[str]:
    return {str(said.entry.fields.get("sha256")) for said in log.statements(signatures.SIGNERS)}


def _opened(place: Place, clock: Callable[[], float], sleep: Callable[[float], None]) -> ApprovalsWriter:
    """The log of approvals, once whoever is writing it is done."""
    end = clock() + PATIENCE
    while True:
        try:
            return ApprovalsWriter.open(place.root, place.keys)
        except StoreLocked:
            if clock() >= end:
                raise
        sleep(POLL)
