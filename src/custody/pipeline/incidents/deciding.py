"""Deciding: grants, denials, reviews and what owners sign, sealed in the log of approvals by its own process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from custody.errors import UsageError
from custody.incidents.record.acting import check, check_counts, moment, named, one_line
from custody.incidents.record.folding import Heard, Incident, lapses
from custody.model.incidents import Decided, Reviewed, Step, Vouched, text_of
from custody.model.times import text
from custody.pipeline.incidents.reading import Record, read
from custody.pipeline.incidents.saying import signed, signers_text
from custody.pipeline.incidents.sealing import Desk, Sealed, seal

Verdict = Literal["grant", "deny", "withdraw"]


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A decision before anybody signed it. ``text`` has to be signed, ``about`` is what it is about."""

    incident: Incident
    step: Step
    text: bytes
    about: bytes = b""


def decision(
    desk: Desk, name: str, verdict: Verdict, reason: str, *, until: str | None = None, digest: str | None = None
) -> Prepared:
    """A decision about the action ``name`` exactly as it is sealed. UsageError where ``digest`` is not its own."""
    incident = read(desk.settings).of_action(name)
    action, end = named(incident, name), moment(until, "--until")
    if end is not None and (verdict != "grant" or not desk.now() < end):
        raise UsageError("only a grant ends, and after now", where="--until", found=str(until)[:40])
    if end is not None and end > lapses(action.request):
        raise UsageError("the request lapses before", where="--until", expected=f"at most {action.request.lapses}")
    step = Decided(
        incident=incident.id,
        action=name,
        digest=digest or action.asked.digest,
        verdict=verdict,
        reason=one_line(reason, "--reason"),
        until=None if end is None else text(end),
    )
    return _prepared(desk, incident, step, text_of(action.request))


def review(desk: Desk, name: str, verdict: Literal["justified", "not-justified"], reason: str) -> Prepared:
    """A review of the action ``name``, by somebody who did not take part in it."""
    incident = read(desk.settings).of_action(name)
    action = named(incident, name)
    step = Reviewed(
        incident=incident.id,
        action=name,
        digest=action.asked.digest,
        verdict=verdict,
        reason=one_line(reason, "--reason"),
    )
    return _prepared(desk, incident, step, text_of(action.request))


def vouch(desk: Desk, incident: str, identity: str, reason: str) -> Prepared:
    """That ``identity`` may work again: for its owner to sign."""
    found = read(desk.settings).one(incident)
    step = Vouched(incident=incident, identity=one_line(identity, "IDENTITY"), reason=one_line(reason, "--reason"))
    return _prepared(desk, found, step)


def decide(desk: Desk, prepared: Prepared, armored: bytes) -> Sealed:
    """Seal a prepared decision as that of whose signature ``armored`` is.

    PolicyDenied and IntentRefused say why it would not count; UsageError where the signature does not hold.
    """
    record = read(desk.settings)
    signers = signers_text(record, record.one(prepared.incident.id))
    if signers is None:
        raise UsageError(
            "whose the key is cannot be said",
            expected="an allowed-signers file",
            advice="Name it with --signers FILE when the incident is opened: the one that was sealed then counts.",
        )
    return seal(desk, prepared.step, signed(prepared.step, armored, signers, desk.now()), _check(prepared.step))


def _prepared(desk: Desk, incident: Incident, step: Step, about: bytes = b"") -> Prepared:
    check(incident, step, desk.now())
    return Prepared(incident=incident, step=step, text=text_of(step), about=about)


def _check(step: Step) -> Callable[[Record, Heard], None]:
    def checked(record: Record, heard: Heard) -> None:
        incident = record.one(step.incident)
        check(incident, step, heard.at)
        if isinstance(step, Decided | Reviewed):
            check_counts(incident, record.people(incident), heard)

    return checked
