"""What a broker's lines about one chain and its request come to: pure, from the entries to what a responder is shown.

States: ``waits for approval``, ``time for approval is over``, ``refused``, ``refused before it was decided``,
``allowed, no outcome sealed``, ``failed``, ``issued``, ``end asked for``, ``waits for its expiry``, ``not ended``,
``ended, expired``, ``ended, verified``, ``ended, not verified``.
"""

from collections.abc import Iterator, Sequence

import msgspec

from custody.chains import broker_facts
from custody.model.broker_terms import Verdict
from custody.model.broker_told import Brokered, Consent, EndStep
from custody.model.brokered import Approved, Effect, EndAsked, Ended, Entry, Failed, Issued, Probed, Refused, Request
from custody.model.leaf import LeafRef
from custody.model.report import Step
from custody.model.times import microseconds

LOG = "operations"
SECOND = 1_000_000

CAUSES = {
    "complete": "given back",
    "undelivered": "never handed over",
    "renewed": "another took over from it",
    "expired": "its time was over",
    "parent": "what it descends from ended",
    "containment": "its identity was contained",
    "operator": "revoked by a person",
    "recovered": "found after a crash, and no longer wanted",
    "break-glass": "its break-glass time was over",
}
FOUND = {
    Effect.SESSIONS: "the credential is gone, sessions of it live",
    Effect.ALIVE: "it still works",
    Effect.WAITING: "nothing ends it before its expiry",
    Effect.UNKNOWN: "the server could not be asked: not verified",
}
GONE = {
    "state": "verified: the server's own state shows neither it nor a session of it",
    "probe": "verified: the broker tried it, and it was refused",
    "expiry": "its expiry has passed; nothing else ends it, and nobody tried it",
    "none": "said to be gone; not verified",
}


class Line(msgspec.Struct, frozen=True):
    """One entry and the leaf at which it is sealed."""

    leaf: int
    entry: Entry


def told(lines: Sequence[Line], as_of: int | None, unread: int = 0) -> Brokered | None:
    """What the lines about one request come to, in their order; None where none of them says what was asked.

    ``as_of`` is the moment of judgement (µs): an approval that was waited for until before it comes too late.
    """
    bodies = [line.entry.body for line in lines]
    about = [body.request for body in bodies if isinstance(body, Request | Issued)]
    if not about and not any(isinstance(body, Refused) for body in bodies):
        return None
    first = lines[0].entry
    ends = tuple(_ends(lines))
    chains = [line.entry.chain for line in lines if line.entry.chain]
    return Brokered(
        broker=first.broker,
        request=about[0] if about else None,
        chain=chains[0] if chains else None,
        state=_state(lines, ends, as_of),
        since=lines[-1].entry.at,
        facts=tuple(broker_facts.facts([(line.leaf, line.entry) for line in lines])),
        approvals=tuple(_consent(line, line.entry.body) for line in lines if isinstance(line.entry.body, Approved)),
        ends=ends,
        keys=tuple(dict.fromkeys(key for body in bodies if isinstance(body, Issued) for key in body.keys)),
        unread=unread,
    )


def steps(told_: Brokered) -> tuple[Step, ...]:
    """The end as steps of a chain, asked for and seen: the broker is the issuer."""
    return tuple(
        Step(
            stage="change" if each.step != "seen" else "end" if each.verified or each.basis == "expiry" else "change",
            time=each.time,
            event=each.event,
            leaf=each.leaf,
            join="exact",
            asserter="issuer",
            rule="custody.broker",
            text=each.text,
            source="custody.broker",
        )
        for each in told_.ends
    )


def _state(lines: Sequence[Line], ends: Sequence[EndStep], as_of: int | None) -> str:
    bodies = [line.entry.body for line in lines]
    if any(isinstance(body, Issued) for body in bodies):
        return _end_state(ends)
    if any(isinstance(body, Failed) for body in bodies):
        return "failed"
    requests = [line for line in lines if isinstance(line.entry.body, Request)]
    if not requests:
        return "refused before it was decided"
    body = requests[-1].entry.body
    assert isinstance(body, Request)
    if body.decision.verdict is Verdict.DENY:
        return "refused"
    if body.decision.verdict is Verdict.ALLOW:
        return _end_state(ends) if ends else "allowed, no outcome sealed"
    asked, at = body.decision.asked, microseconds(requests[0].entry.at)
    over = asked is not None and at is not None and as_of is not None and at + asked.within * SECOND < as_of
    return "time for approval is over" if over else "waits for approval"


def _end_state(ends: Sequence[EndStep]) -> str:
    seen = [each for each in ends if each.step == "seen"]
    if not seen:
        return "end asked for" if ends else "issued"
    last = seen[-1]
    if last.effect == Effect.GONE:
        kind = "verified" if last.verified else "expired" if last.basis == "expiry" else "not verified"
        return f"ended, {kind}"
    return "waits for its expiry" if last.effect == Effect.WAITING else "not ended"


def _ends(lines: Sequence[Line]) -> Iterator[EndStep]:
    """Each step of the end; what was found has the cause of the end that was asked for before it."""
    asked = EndAsked(cause="", by="")
    for line in lines:
        body, place = line.entry.body, LeafRef(LOG, line.leaf)
        at, event = line.entry.at, line.entry.id
        if isinstance(body, EndAsked):
            asked = body
            yield EndStep(
                step="asked", time=at, text=_asked_words(body), leaf=place, event=event, cause=body.cause, by=body.by,
                reason=body.reason,
            )  # fmt: skip
        elif isinstance(body, Probed):
            words = f"the broker tries it at {body.target}: not a use of its holder"
            yield EndStep(step="probe", time=at, text=words, leaf=place, event=event)
        elif isinstance(body, Ended):
            yield EndStep(
                step="seen", time=at, text=_found(body), leaf=place, event=event, cause=body.cause or asked.cause,
                by=asked.by, reason=asked.reason, effect=body.effect.value, basis=body.basis, sessions=body.sessions,
                seen=body.seen, verified=body.effect is Effect.GONE and body.basis in ("state", "probe"),
            )  # fmt: skip


def _asked_words(body: EndAsked) -> str:
    why = CAUSES.get(body.cause, body.cause or "no cause said")
    reason = f": {body.reason}" if body.reason else ""
    shown = f" (proved by {body.proof.method})" if body.proof is not None else ""
    return f"end asked for, {why}, by {short(body.by)}{shown}{reason}"


def _found(body: Ended) -> str:
    if body.effect is Effect.GONE:
        return f"gone; {GONE[body.basis]}"
    if body.effect is Effect.SESSIONS and body.sessions:
        return f"the credential is gone, {body.sessions} session(s) of it live"
    return FOUND[body.effect]


def _consent(line: Line, body: Approved) -> Consent:
    return Consent(
        verdict=body.verdict,
        approver=body.approver,
        at=body.given,
        reason=body.reason,
        until=body.until,
        counts=body.counts,
        why=body.why,
        leaf=LeafRef(LOG, line.leaf),
        approvals_leaf=body.leaf,
    )


def short(key: str) -> str:
    """The name in a key; what is no key as it is."""
    return key.split(":", 2)[-1] or "nobody named"
