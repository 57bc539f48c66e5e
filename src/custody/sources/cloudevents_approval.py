"""CloudEvents in structured JSON: the general form of approvals and runs, for systems without a source of their own.

Log format: CloudEvents 1.0 (and 0.3), JSON format, one object a record, in arrays (batches) or one a line. Of the types
only those that end in the vocabulary of docs/sources/cloudevents.md have a meaning here; any other is a plain event.
"""

import re

import msgspec

from custody.errors import SourceError
from custody.model import keys
from custody.model.events import Asserter, Event, Outcome, Part, Skip, Stage
from custody.model.records import Identity, SecretSpan
from custody.sources import moments, pasted_secrets, secret_names
from custody.sources.escapes import plain
from custody.sources.secret_spans import Found
from custody.sources.source import Source

SCHEME = "cloudevents-source-id/1"
_MEANT = re.compile(
    r"(?:.*\.)?(approval\.(?:requested|granted|denied|withdrawn)|run\.(?:started|ended))(?:\.v[0-9]{1,4})?", re.DOTALL
)
_DECISIONS = {
    "approval.requested": (Stage.REQUEST, "approval.request"),
    "approval.granted": (Stage.APPROVE, "approval.grant"),
    "approval.denied": (Stage.APPROVE, "approval.deny"),
    "approval.withdrawn": (Stage.APPROVE, "approval.withdraw"),
}
_RUNS = {"run.started": (Stage.START, "run.start"), "run.ended": (Stage.END, "run.end")}
_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_BASE64 = re.compile(rb'"data_base64"[ \t\r\n]*:[ \t\r\n]*"((?:[^"\\]|\\.)+)"')
_NO_DATA = b"null"


class _Head(msgspec.Struct, frozen=True, gc=False):
    """The four attributes that every CloudEvent has."""

    specversion: str
    id: str
    source: str
    type: str


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """A CloudEvent; ``data`` is decoded only for the types that have a meaning here."""

    specversion: str
    id: str
    source: str
    type: str
    time: str | None = None
    subject: str | None = None
    traceparent: str | None = None
    data: msgspec.Raw = msgspec.Raw(_NO_DATA)


class Data(msgspec.Struct, frozen=True, gc=False):
    """The members of ``data`` that are read, all optional. ``run``, ``workload`` and ``parent`` belong to runs."""

    request: str | int | None = None
    target: str | None = None
    targets: list[str] | None = None
    requester: str | None = None
    approver: str | None = None
    executor: str | None = None
    reason: str | None = None
    scope: str | None = None
    valid_from: str | None = None
    valid_until: str | None = None
    ticket: str | None = None
    policy: str | None = None
    emergency: bool | None = None
    run: str | int | None = None
    workload: str | None = None
    parent: str | None = None


_HEAD = msgspec.json.Decoder(_Head)
_ENVELOPE = msgspec.json.Decoder(Envelope)
_DATA = msgspec.json.Decoder(Data)
_NOTHING = Data()


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like a CloudEvent, by its bytes alone."""
    return b'"specversion"' in raw and b'"source"' in raw


def identify(raw: bytes) -> Identity | None:
    """``source`` and ``id``, which are unique together by the specification; None where it is no CloudEvent."""
    return pasted_secrets.identified(SCHEME, raw, _name, _secrets)


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The event of a kept CloudEvent, or why there is none. Raises nothing."""
    return pasted_secrets.events_of(kept, _ENVELOPE, lambda found: (_event(found),), _secrets)


def _name(raw: bytes) -> str | None:
    head = _HEAD.decode(raw)
    return f"{head.source} {head.id}" if head.source and head.id and head.type else None


def _secrets(raw: bytes) -> Found:
    """Types whose meaning is unknown are searched as records that nobody understands; base64 hides what it holds."""
    broad = _MEANT.fullmatch(_HEAD.decode(raw).type) is None
    return pasted_secrets.find(raw, broad=broad, texts=_base64)


def _base64(raw: bytes) -> tuple[SecretSpan, ...]:
    document = plain(raw)
    places = [found.span(1) for found in _BASE64.finditer(document.text)]
    return tuple(SecretSpan(document.original(start), document.original(end), "data") for start, end in places)


def _event(found: Envelope) -> Event:
    if found.time is None:
        raise SourceError("no time", where="$.time", expected="when it happened, RFC 3339")
    meant = _MEANT.fullmatch(found.type)
    word = meant[1] if meant else ""
    data = _DATA.decode(found.data) if meant and bytes(found.data) != _NO_DATA else _NOTHING
    who = data.requester if word in _RUNS or word == "approval.requested" else data.approver
    if word == "approval.withdrawn" and who is None:
        who = data.requester
    person = keys.scoped("person", found.source, who) if who else None
    trace = _TRACE.fullmatch(found.traceparent) if found.traceparent else None
    return Event(
        id=f"{found.source} {found.id}",
        time=moments.rfc3339(found.time, "$.time"),
        service=found.source,
        action=found.type,
        outcome=Outcome.SUCCESS,
        parts=_approval(found, data, word, person) if word in _DECISIONS else _run(found, data, word),
        principal=person,
        resource=data.target or next(iter(data.targets or ()), found.subject),
        policy=data.policy,
        trace=trace[1] if trace else None,
        tags=_declared(data),
    )


def _approval(found: Envelope, data: Data, word: str, person: str | None) -> tuple[Part, ...]:
    """One part for each target that is a key; without one, a part for the request; without either, none."""
    stage, effect = _DECISIONS[word]
    request = keys.scoped("approval", found.source, str(data.request)) if data.request not in (None, "") else None
    named = [text for text in (data.target, *(data.targets or ())) if text]
    targets = tuple(dict.fromkeys(filter(None, map(_key, named or [found.subject or ""]))))
    common = Part(
        stage=stage,
        effect=effect,
        subject=person,
        object=data.scope or next((text for text in named if _key(text) is None), None),
        not_after=moments.rfc3339(data.valid_until, "$.data.valid_until") if data.valid_until else None,
        method="break-glass" if data.emergency else None,
    )
    ticket = _key(data.ticket or "")
    parts = [msgspec.structs.replace(common, key=target, related=request or ticket) for target in targets]
    if request and (ticket or not targets):
        parts.append(msgspec.structs.replace(common, key=request, related=ticket))
    return tuple(parts)


def _run(found: Envelope, data: Data, word: str) -> tuple[Part, ...]:
    """The start or end of a run. Only of its own runs is a producer the orchestrator; others' it declares."""
    if word not in _RUNS or data.run in (None, ""):
        return ()
    stage, effect = _RUNS[word]
    known = _key(str(data.run))
    own = keys.scoped("ci_run", found.source, "")
    key = known or own + str(data.run)
    return (
        Part(
            stage=stage,
            key=key,
            effect=effect,
            object=_key(data.workload or "") or data.workload,
            related=_key(data.parent or ""),
            asserter=None if key.startswith(own) else Asserter.DECLARED,
        ),
    )


def _key(text: str) -> str | None:
    """``text`` where it is a typed key, else None."""
    try:
        return str(keys.parse(text))
    except SourceError:
        return None


_TAGS = ("emergency", "executor", "reason", "requester", "ticket", "valid_from")


def _declared(data: Data) -> str | None:
    """What the approval says beside who and what, as compact JSON: nobody has checked it."""
    told = {name: getattr(data, name) for name in _TAGS if getattr(data, name) is not None}
    return msgspec.json.encode(told).decode() if told else None


SOURCE = Source(
    name="cloudevents",
    title="CloudEvents (approvals and runs)",
    wrappings=(),
    recognise=recognise,
    identify=identify,
    read=read,
    marks=(b'"specversion"',),
    glance=secret_names.SUSPECTS.look,
    time_resolution=1_000_000,
    delivery_delay=15 * 60 * 1_000_000,
    proves=(
        "who asked for and who granted, denied or withdrew an approval, and until when it holds, as the approval "
        "system decided; the runs of the system that sends the event; what was approved only as that system wrote it"
    ),
    enable=(
        "have the approval system send CloudEvents whose type ends in .approval.requested, .approval.granted, "
        ".approval.denied or .approval.withdrawn to a sink that writes each event to a file, one a line"
    ),
)
