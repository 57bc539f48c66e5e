"""What a broker issued, and what it saw of its end."""

import msgspec

from custody.errors import SourceError
from custody.model.brokered import Effect, EndAsked, Ended, Entry, Failed, Issued, Probed
from custody.model.events import Asserter, Event, Outcome, Part, Stage
from custody.sources.custody_broker import names
from custody.sources.custody_broker.requests import shown

GONE = "credential.gone"
_NOT_ENDED = {
    Effect.SESSIONS: "the credential is gone, and sessions of it live",
    Effect.ALIVE: "it still works",
    Effect.UNKNOWN: "the server could not be asked",
}


def issued(entry: Entry, body: Issued) -> tuple[Event, ...]:
    """The issue. A key of another type than the first is its other name where it carries the chain, else another's.

    So that no line can make the credential of somebody else a name of this one.
    """
    keys = tuple(dict.fromkeys(names.needed(key, "$.body.keys") for key in body.keys))
    if not keys or entry.chain is None:
        raise SourceError("an issue without a key or a chain", where="$.body.keys", expected="a key and a chain")
    requester, workload = names.known(body.requester), names.needed(body.workload, "$.body.workload")
    granularity = names.granularity(body.granularity)
    own = Part(
        stage=Stage.ISSUE,
        key=keys[0],
        parent=names.known(body.parent),
        subject=_subject(body, keys),
        workload=workload,
        granularity=granularity,
        bound_by=None if granularity is None else Asserter.ISSUER,
        method=f"broker {body.type}",
        not_after=names.moment(body.not_after, "$.body.not_after"),
        related=names.known(body.approval) or names.request(entry.broker, body.request),
        population=names.population(person=workload.startswith("person:")),
    )
    own_keys = tuple(key for key in keys if not _is_name(key, keys[0], entry.chain or ""))
    issues = (msgspec.structs.replace(own, key=key) for key in own_keys)
    others = (Part(stage=Stage.ISSUE, key=key, alias=keys[0]) for key in keys if key not in own_keys)
    told = names.event(
        entry,
        "issued",
        (*issues, *others, *_intent(entry, body, own_keys)),
        account=False,
        tags=_tags(body),
        principal=requester or workload,
        request_id=body.request,
        resource=next(iter(body.resource), None),
        policy=names.policy(tuple(each.id for each in body.policies), body.policy_set),
        trace=body.trace,
    )
    return (told,)


def _is_name(key: str, first: str, chain: str) -> bool:
    """Whether a key is another name of the first: of another type, and made for this chain."""
    made = chain in key or chain.replace("-", "_") in key
    return key.partition(":")[0] != first.partition(":")[0] and made


def _subject(body: Issued, keys: tuple[str, ...]) -> str:
    """Whom it speaks for: a principal of the target's, else the workload. A name made for it alone is no principal."""
    subject = names.known(body.subject)
    return names.needed(body.workload, "$.body.workload") if subject is None or subject in keys else subject


def _intent(entry: Entry, body: Issued, keys: tuple[str, ...]) -> tuple[Part, ...]:
    """What the issue rests on: the chain, the line that decided it, the run, and the chain that it comes after."""
    rests = Part(
        stage=Stage.DECIDE,
        key=keys[0],
        effect="broker.intent",
        object=str(body.decided),
        related=names.chain(entry.broker, entry.chain or ""),
        workload=names.known(body.run),
        session_name=body.renews or body.descends,
        method="renews" if body.renews else "descends" if body.descends else None,
    )
    found = [msgspec.structs.replace(rests, key=key) for key in keys]
    if body.renews:
        old = names.chain(entry.broker, body.renews)
        found.append(Part(stage=Stage.REFRESH, key=old, effect="credential.renew", related=keys[0], object=body.reason))
    return tuple(found)


def after(entry: Entry) -> tuple[Event, ...]:
    """What came after a plan or an issue."""
    match entry.body:
        case Failed() as body:
            return _failed(entry, body)
        case EndAsked() as body:
            return _end_asked(entry, body)
        case Probed() as body:
            return _probed(entry, body)
        case Ended() as body:
            return _ended(entry, body)
    return ()


def _failed(entry: Entry, body: Failed) -> tuple[Event, ...]:
    """Nothing was made, or nobody knows."""
    key = names.chain(entry.broker, entry.chain) if entry.chain else None
    part = Part(stage=Stage.CHANGE, key=key, effect=f"issue.{body.left}", object=body.backend)
    return (names.event(entry, "failed", (part,), outcome=Outcome.ERROR, error=body.reason),)


def _end_asked(entry: Entry, body: EndAsked) -> tuple[Event, ...]:
    """An end that was asked for ends nothing yet."""
    key = names.chain(entry.broker, entry.chain) if entry.chain else None
    part = Part(stage=Stage.CHANGE, key=key, effect="end.ask", object=body.cause)
    tags = {"by": body.by, "reason": body.reason}
    told = names.event(entry, "ending", (part,), tags=tags, principal=names.known(body.by))
    proofs = () if body.proof is None else (body.proof,)
    return (told, *shown(entry, proofs, None, None, Outcome.SUCCESS))


def _probed(entry: Entry, body: Probed) -> tuple[Event, ...]:
    """The broker's own try of a credential that should be dead: the mark in its log, no use."""
    part = Part(stage=Stage.CHANGE, key=names.known(body.key), effect="end.probe", object=body.target)
    return (names.event(entry, "probe", (part,), account=False),)


def _ended(entry: Entry, body: Ended) -> tuple[Event, ...]:
    """An end for each key where it was seen to be gone, or its expiry has passed; else a call that ended nothing."""
    keys = tuple(dict.fromkeys(names.needed(key, "$.body.keys") for key in body.keys))
    why = _NOT_ENDED.get(body.effect)
    if body.effect is Effect.SESSIONS and body.sessions:
        why = f"the credential is gone, and {body.sessions} session(s) of it live"
    told = names.event(
        entry,
        "ended",
        tuple(_end(body, key) for key in keys),
        outcome=Outcome.SUCCESS if why is None else Outcome.ERROR,
        account=False,
        tags={"cause": body.cause, "basis": body.basis, "seen": body.seen},
        error=why,
    )
    return (told,)


def _end(body: Ended, key: str) -> Part:
    """Without a basis nothing was seen; what waits for its expiry is not ended by that."""
    if body.effect is Effect.WAITING or (body.effect is Effect.GONE and body.basis == "none"):
        return Part(stage=Stage.CHANGE, key=key, effect="end.wait")
    if body.effect is Effect.GONE and body.basis == "expiry":
        return Part(stage=Stage.EXPIRE, key=key, effect="credential.expire")
    return Part(stage=Stage.REVOKE, key=key, effect=GONE, method=body.basis)


def _tags(body: Issued) -> dict[str, object]:
    found: dict[str, object] = {
        "backend": body.backend,
        "ends": body.ends.value,
        "identity": body.identity,
        "decided": body.decided,
        "scope": list(body.scope),
        "audience": list(body.audience),
        "renews": body.renews,
        "descends": body.descends,
        "reason": body.reason,
        "server": body.server,
    }
    return {name: value for name, value in found.items() if value not in (None, [], {})}
