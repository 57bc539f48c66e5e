"""What a broker says of identities, of its break-glass credentials, of drills and of itself: changes, no credential."""

from custody.model.brokered import Contained, Drilled, Enabled, Entry, Glass, Service
from custody.model.events import Event, Part, Stage
from custody.sources.custody_broker import names


def told(entry: Entry) -> tuple[Event, ...]:
    """What an entry of these kinds says."""
    match entry.body:
        case Contained() as body:
            return _contained(entry, body)
        case Enabled() as body:
            return _enabled(entry, body)
        case Glass() as body:
            return _glass(entry, body)
        case Drilled() as body:
            return _drilled(entry, body)
        case Service() as body:
            return _service(entry, body)
    return ()


def _contained(entry: Entry, body: Contained) -> tuple[Event, ...]:
    """Nothing more is issued to an identity."""
    part = Part(stage=Stage.CHANGE, key=names.identity(body.identity), effect="identity.contain", object=body.incident)
    tags = {"by": body.by, "reason": body.reason, "incident": body.incident}
    return (names.event(entry, "contained", (part,), tags=tags, principal=names.known(body.by)),)


def _enabled(entry: Entry, body: Enabled) -> tuple[Event, ...]:
    """A containment is over."""
    part = Part(stage=Stage.CHANGE, key=names.identity(body.identity), effect="identity.enable")
    tags = {"by": body.by, "reason": body.reason, "items": body.items, "approvals": [a.leaf for a in body.approvals]}
    return (names.event(entry, "enabled", (part,), tags=tags, principal=names.known(body.by)),)


def _glass(entry: Entry, body: Glass) -> tuple[Event, ...]:
    """A step of a break-glass credential: a part for each key and for each person, at least one."""
    until = None if body.not_after is None else names.moment(body.not_after, "$.body.not_after")
    key, effect = names.glass(body.glass or "-"), f"glass.{body.step}"
    how = "offline" if body.offline else None
    objects = [(names.needed(each, "$.body.keys"), None) for each in body.keys]
    people = [(None, names.known(each)) for each in dict.fromkeys(body.people)]
    parts = tuple(
        Part(stage=Stage.CHANGE, key=key, effect=effect, object=each, subject=who, not_after=until, method=how)
        for each, who in (*objects, *people) or ((None, None),)
    )
    tags = {"people": body.people, "reason": body.reason, "offline": body.offline}
    by = next((who for _, who in people if who), None)
    return (names.event(entry, "break-glass", parts, tags=tags, principal=by),)


def _drilled(entry: Entry, body: Drilled) -> tuple[Event, ...]:
    """A drill that was played."""
    tags = {"drill": body.drill, "steps": body.steps, "met": body.met}
    return (names.event(entry, "drill", (_own(entry, "broker.drill", body.drill),), tags=tags),)


def _service(entry: Entry, body: Service) -> tuple[Event, ...]:
    """The broker started, stopped, took over, or changed its policies or keys."""
    tags = {"version": body.version, **body.fields}
    return (names.event(entry, "service", (_own(entry, f"broker.{body.what}", body.version),), tags=tags),)


def _own(entry: Entry, effect: str, what: str) -> Part:
    return Part(stage=Stage.CHANGE, key=f"broker:custody:{entry.broker}", effect=effect, object=what)
