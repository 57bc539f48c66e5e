"""A Teleport audit event's typed meaning: a use of its bot instance, where it has one, and what it did beyond.

Events that this package does not know are plain uses, or plain events where nothing names a credential.
"""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from custody.model.events import Event, Outcome, Part, Skip, Stage
from custody.sources import pasted_secrets
from custody.sources.teleport import joins, names, requests, sessions
from custody.sources.teleport.identity import secrets
from custody.sources.teleport.records import Audited, Target

_EVENT = msgspec.json.Decoder(Audited)
_TARGET = msgspec.json.Decoder(Target | None)
_LOCKS = {"lock.created": "lock.create", "lock.deleted": "lock.delete"}
_NO_USE = frozenset(("bot.join", "instance.join", "cert.create", "cert.generation_mismatch", "spiffe.svid.issued"))
"""Events that bring a bot instance or come of it, and tell of it themselves."""


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The event of a kept record, or why there is none. Raises nothing."""
    return pasted_secrets.events_of(kept, _EVENT, lambda found: (_event(found),), secrets)


def _event(found: Audited) -> Event:
    request = found.event.startswith("access_request.")
    decision = request and found.event in ("access_request.review", "access_request.update")
    return Event(
        id=found.uid,
        time=names.time(found.time, "$.time"),
        service="teleport",
        action=found.event,
        outcome=_outcome(found),
        parts=(*_use(found), *_done(found)),
        error=found.error,
        account=found.cluster_name,
        origin=names.origin(found),
        agent=found.user_agent,
        principal=requests.decider(found) if decision else names.actor(found),
        principal_kind=names.actor_kind(found),
        session=names.session(found.sid) if found.sid else None,
        invoked_by=found.identity.impersonator if found.identity else None,
        resource=requests.resources(found) if request else _resource(found),
        tags=requests.declared(found) if request else None,
    )


def _outcome(found: Audited) -> Outcome:
    """``success`` first; else the letter behind the code: a warning is a refusal, an error an error."""
    if found.success is not None:
        return Outcome.SUCCESS if found.success else Outcome.DENIED
    return {"W": Outcome.DENIED, "E": Outcome.ERROR}.get(found.code[-1:].upper(), Outcome.SUCCESS)


def _resource(found: Audited) -> str | None:
    """What was touched; for a certificate the AWS role that its application takes on."""
    route = found.identity.route_to_app if found.identity else None
    if route:
        return route.aws_role_arn or route.name
    return sessions.thing(found) or found.spiffe_id or found.name


def _use(found: Audited) -> Iterator[Part]:
    key = names.instance_of(found)
    if key and found.event not in _NO_USE:
        yield Part(stage=Stage.USE, key=key, population="machine")


def _done(found: Audited) -> tuple[Part, ...]:
    """What an event did beyond being a use."""
    if found.event in sessions.STARTS or found.event in sessions.ENDS:
        return tuple(sessions.parts(found))
    if found.event.startswith("access_request."):
        return requests.parts(found)
    told = _TELLING.get(found.event)
    return tuple(told(found)) if told else ()


def _login(found: Audited) -> Iterator[Part]:
    key = names.actor(found)
    if key and found.success is not False:
        yield Part(stage=Stage.START, key=key, effect="user.login", population=names.population(found))


def _mismatch(found: Audited) -> Iterator[Part]:
    """Two hold one renewable certificate: one of them is a copy."""
    key = names.instance_of(found) or names.actor(found)
    if key:
        yield Part(stage=Stage.CHANGE, key=key, effect=found.event)


def _deleted(found: Audited) -> Iterator[Part]:
    if found.name:
        key = names.bot(found.name) if found.event == "bot.delete" else names.person(found.name)
        yield Part(stage=Stage.END, key=key, effect="principal.delete")


def _lock(found: Audited) -> Iterator[Part]:
    """A lock that never expires pauses a bot instance until it is deleted; one that expires is a change alone."""
    target = _TARGET.decode(found.target) or Target()
    until = names.expiry(found.expires, "$.expires")
    effect = _LOCKS[found.event]
    if target.bot_instance_id:
        key = names.instance(target.bot_instance_id)
        if effect == "lock.delete":
            yield Part(stage=Stage.CHANGE, key=key, effect="key.activate", object=found.name)
        elif until is None:
            yield Part(stage=Stage.REVOKE, key=key, effect="key.deactivate", object=found.name)
        else:
            yield Part(stage=Stage.CHANGE, key=key, effect=effect, object=found.name, not_after=until)
    for key in filter(None, (target.user and names.person(target.user), _request(target))):
        yield Part(stage=Stage.CHANGE, key=key, effect=effect, object=found.name, not_after=until)


def _request(target: Target) -> str | None:
    return names.approval(target.access_request) if target.access_request else None


_TELLING: dict[str, Callable[[Audited], Iterable[Part]]] = {
    "bot.join": joins.bot_join,
    "instance.join": joins.instance_join,
    "cert.create": joins.certificate,
    "cert.generation_mismatch": _mismatch,
    "join_token.create": joins.join_token,
    "spiffe.svid.issued": joins.svid,
    "workload_identity_x509_revocation.create": joins.revocation,
    "lock.created": _lock,
    "lock.deleted": _lock,
    "user.login": _login,
    "bot.delete": _deleted,
    "user.delete": _deleted,
}
