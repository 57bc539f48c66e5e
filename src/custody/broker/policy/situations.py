"""A situation in the words of the schema: what the engine is handed, and what is recorded of it.

The bytes are deterministic (object keys sorted, no spaces), so that a digest of them names exactly what was asked, and
whoever has the entry of the log can make them again (``rebuilt``).
"""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from functools import lru_cache
from hashlib import sha256

import msgspec

from custody.broker.policy.engine import Situation
from custody.errors import UsageError
from custody.model.broker_terms import Actor, Proof
from custody.model.brokered import Request
from custody.model.times import EPOCH

ABOUT_BACKENDS = frozenset({"Issue", "Renew", "BreakGlass", "Approve", "Revoke"})
ABOUT_IDENTITIES = frozenset({"Contain", "Enable"})
ACTIONS = ABOUT_BACKENDS | ABOUT_IDENTITIES
"""What a situation's ``action`` may be: the names of the schema's actions."""

ENCODER = msgspec.json.Encoder(order="deterministic")
LEAST, MOST = -(1 << 63), (1 << 63) - 1

_TEXTS = frozenset({"action", "environment", "backend_kind", "break_glass", "origin"})
"""What of a situation is text and kept as it is; the rest is kept as JSON."""

Reference = dict[str, str]


class Asking(msgspec.Struct, frozen=True):
    """What the engine is handed. ``entities`` and ``request`` are JSON; digests of them are in the decision."""

    principal: Reference
    action: Reference
    resource: Reference
    context: str
    entities: bytes
    request: bytes

    @property
    def digests(self) -> tuple[str, str]:
        """SHA-256 (hex) of the entities and of the request with its context."""
        return sha256(self.entities).hexdigest(), sha256(self.request).hexdigest()


def asking(situation: Situation) -> Asking:
    """The situation for the engine. ValueError where it cannot be told in the schema's words."""
    if situation.action not in ACTIONS:
        raise ValueError("an action that the schema does not have")
    if not LEAST <= situation.ttl <= MOST:
        raise ValueError("a number beyond 64 bits")
    kind = "Person" if situation.proof.person else "Workload"
    principal = _reference(kind, situation.proof.workload)
    about = "Backend" if situation.action in ABOUT_BACKENDS else "Identity"
    named = situation.intent.backend if about == "Backend" else situation.registered.identity
    resource, action = _reference(about, named), _reference("Action", situation.action)
    context = _context(situation)
    whole = {"principal": principal, "action": action, "resource": resource, "context": context}
    return Asking(
        principal=principal,
        action=action,
        resource=resource,
        context=ENCODER.encode(context).decode(),
        entities=ENCODER.encode(_entities(situation, principal)),
        request=ENCODER.encode(whole),
    )


def counted(situation: Situation) -> list[tuple[str, tuple[str, ...]]]:
    """The approvers who count: each once, and neither the one who asks nor anybody who acts for them.

    An actor whom only an issuer or the requester names has no key: there whoever goes by that name in any system is
    left out.
    """
    if not situation.approvers:
        return []
    own = {situation.proof.workload, situation.proof.subject, *(actor.subject for actor in situation.actors)}
    if situation.subject is not None:
        own |= {situation.subject.workload, situation.subject.subject}
    own |= {actor.proof.workload for actor in situation.actors if actor.proof is not None}
    groups: dict[str, set[str]] = {}
    for person, of in situation.approvers:
        if own.isdisjoint((person, person.split(":", 2)[-1])):
            groups.setdefault(person, set()).update(of)
    return [(person, tuple(sorted(groups[person]))) for person in sorted(groups)]


def _reference(kind: str, name: str) -> Reference:
    return {"type": kind, "id": name}


def _context(situation: Situation) -> dict[str, object]:
    intent, registered = situation.intent, situation.registered
    context: dict[str, object] = {
        "environment": situation.environment,
        "ttl": situation.ttl,
        "scope": sorted(set(intent.scope)),
        "audience": sorted(set(intent.audience)),
        "resource": sorted(set(intent.resource)),
        "details": sorted({_type(each) for each in intent.details}),
        "declared": bool(intent.resource) and set(intent.resource) <= set(registered.depends_on),
        "renewal": situation.action == "Renew" or intent.renews is not None,
        "contained": situation.contained,
        **_when(situation.now),
    }
    return context | _there(
        origin=_address(situation.origin),
        purpose=intent.purpose,
        ticket=intent.ticket,
        reason=intent.reason,
        stated_run=intent.run,
        parent=intent.parent,
        parent_live=situation.parent_live,
        break_glass=situation.break_glass,
        acting=_acting(situation.actors),
        on_behalf=_subject(situation.subject),
        approved=_approved(counted(situation)),
    )


def _there(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _subject(proof: Proof | None) -> dict[str, object] | None:
    if proof is None:
        return None
    return {
        "key": proof.workload,
        "issuer": proof.issuer,
        "subject": proof.subject,
        "method": proof.method,
        "person": proof.person,
    }


def _acting(actors: tuple[Actor, ...]) -> dict[str, object] | None:
    if not actors:
        return None
    return {
        "first": _reference("Agent", actors[0].subject),
        "all": [_reference("Agent", name) for name in sorted({actor.subject for actor in actors})],
        "depth": len(actors),
        "proved": all(actor.proof is not None for actor in actors),
    }


def _approved(approvers: list[tuple[str, tuple[str, ...]]]) -> dict[str, object] | None:
    if not approvers:
        return None
    return {
        "count": len(approvers),
        "by": [_reference("Approver", person) for person, _ in approvers],
        "groups": [_reference("Group", name) for name in sorted({name for _, of in approvers for name in of})],
    }


def _when(now: int) -> dict[str, int]:
    """The time in UTC. ValueError for one that no calendar has."""
    try:
        moment = EPOCH + timedelta(microseconds=now)
    except OverflowError:
        raise ValueError("a time that no calendar has") from None
    return {
        "hour": moment.hour,
        "minute": moment.minute,
        "weekday": moment.isoweekday(),
        "date": moment.year * 10_000 + moment.month * 100 + moment.day,
    }


@lru_cache(maxsize=1024)
def _address(origin: str | None) -> dict[str, Reference] | None:
    """An address for Cedar, an IPv4 address within IPv6 as the IPv4 address that it is; None for what is none."""
    try:
        found = ipaddress.ip_address(origin or "")
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or ipaddress.IPv6Address(int(found))
    return {"__extn": {"fn": "ip", "arg": str(found)}}


class _Typed(msgspec.Struct):
    type: str


def _type(detail: str) -> str:
    """The type of an RFC 9396 authorization detail. ValueError where it has none."""
    return msgspec.json.decode(detail, type=_Typed).type


def _entities(situation: Situation, principal: Reference) -> list[dict[str, object]]:
    registered, proof = situation.registered, situation.proof
    facts: dict[str, object] = {
        "environments": sorted(set(registered.environments)),
        "depends_on": sorted(set(registered.depends_on)),
        **_there(owner=registered.owner, purpose=registered.purpose, risk=registered.risk),
    }
    proved: dict[str, object] = {"method": proof.method, "issuer": proof.issuer, "subject": proof.subject}
    proved |= _there(granularity=proof.granularity, run=proof.run)
    identity = _reference("Identity", registered.identity)
    owner = [] if registered.owner is None else [_reference("Group", registered.owner)]
    found = [
        _entity(principal, facts | proved, [identity], proof.claims),
        _entity(identity, facts, owner),
        *_agents(situation.actors),
        *(_approver(person, groups) for person, groups in counted(situation)),
    ]
    if situation.action in ABOUT_BACKENDS:
        found.append(_entity(_reference("Backend", situation.intent.backend), {"kind": situation.backend_kind}, []))
    return found


def _entity(
    uid: Reference, attributes: dict[str, object], parents: list[Reference], tags: dict[str, str] | None = None
) -> dict[str, object]:
    entity: dict[str, object] = {"uid": uid, "attrs": attributes, "parents": parents}
    return entity | {"tags": tags} if tags else entity


def _approver(person: str, groups: tuple[str, ...]) -> dict[str, object]:
    return _entity(_reference("Approver", person), {}, [_reference("Group", name) for name in groups])


def _agents(actors: tuple[Actor, ...]) -> list[dict[str, object]]:
    """Each actor once: one that stands in the chain twice is proved where it is each time, claimed where it ever is."""
    by_subject: dict[str, list[Actor]] = {}
    for actor in actors:
        by_subject.setdefault(actor.subject, []).append(actor)
    return [_entity(_reference("Agent", name), _agent(by_subject[name]), []) for name in sorted(by_subject)]


def _agent(links: list[Actor]) -> dict[str, object]:
    proofs = [link.proof for link in links]
    first = links[0]
    attributes: dict[str, object] = {
        "proved": all(proof is not None for proof in proofs),
        "claimed": any(link.claimed for link in links),
        "person": any(proof is not None and proof.person for proof in proofs),
    }
    issuer = first.proof.issuer if isinstance(first.proof, Proof) else first.issuer
    if issuer is not None:
        attributes["issuer"] = issuer
    if first.proof is not None:
        attributes["method"] = first.proof.method
    return attributes


def kept(situation: Situation) -> dict[str, str]:
    """What of a situation no other field of a request's entry holds, as text: with it the situation can be rebuilt."""
    found: dict[str, object] = {
        "action": situation.action,
        "now": situation.now,
        "environment": situation.environment,
        "backend_kind": situation.backend_kind,
        "ttl": situation.ttl,
        "approvers": situation.approvers or None,
        "contained": situation.contained or None,
        "break_glass": situation.break_glass,
        "parent_live": situation.parent_live,
        "origin": situation.origin,
        "on_behalf": True if situation.subject is not None else None,
    }
    return {
        name: value if isinstance(value, str) else ENCODER.encode(value).decode()
        for name, value in found.items()
        if value is not None
    }


def recordable(situation: Situation) -> dict[str, str]:
    """``kept``, where it can be written into a log. UnicodeEncodeError where a text of it is none (half a pair)."""
    found = kept(situation)
    ENCODER.encode(found)
    return found


def rebuilt(entry: Request) -> Situation:
    """The situation that an entry of the log was decided in. UsageError where the entry does not hold all of it.

    The entry's proof is of the one who is acted for; who acts with a token of their own is the first actor.
    """
    context = dict(entry.decision.context)
    if entry.registered is None or "action" not in context:
        raise UsageError("the entry does not hold what was decided on", found="no register entry or no context")
    holder = entry.actors[0].proof if entry.actors else None
    fields: dict[str, object] = {
        "proof": holder or entry.proof,
        "subject": entry.proof if context.pop("on_behalf", None) is not None else None,
        "intent": entry.intent,
        "registered": entry.registered,
        "actors": entry.actors,
    }
    try:
        for name, value in context.items():
            fields[name] = value if name in _TEXTS else msgspec.json.decode(value)
        return msgspec.convert(fields, Situation)
    except msgspec.DecodeError as error:
        raise UsageError("the entry does not hold what was decided on", found=str(error)[:200]) from None
