# ruff: noqa: N815 - fields have the names that they have in the log
"""What record of Lambda's this is: a line of text, an element of CloudWatch Logs around one, or a platform event.

Frozen as scheme ``log-event/1``: the identity is CloudWatch's id of the log event where the record has it (``id`` of a
subscription, ``eventId`` of a search, kept apart because the two have other members beside), else the SHA-256 of the
record after masking; of a JSON object in a JSON string that of the object.
"""

import msgspec

from custody.model.records import Identity
from custody.sources import identities, secret_names, secret_spans
from custody.sources.aws_lambda.lines import Line, parse
from custody.sources.masking import mask

SCHEME = "log-event/1"
SIGNS = (b"RequestId: ", b"platform.", b"INIT_START ", b"INIT_REPORT ", b" Task timed out after ")
_LONGEST = 256 * 1024
"""The most that CloudWatch Logs takes as one event (bytes)."""


class Element(msgspec.Struct, frozen=True, gc=False):
    """One log event as CloudWatch Logs gives it; ``timestamp`` is milliseconds since 1970."""

    message: str
    timestamp: int | None = None
    id: str | None = None
    eventId: str | None = None
    logStreamName: str | None = None
    logGroupName: str | None = None
    logGroup: str | None = None


class Platform(msgspec.Struct, frozen=True, gc=False):
    """One platform event; its record has a shape by type."""

    time: str
    type: str
    record: msgspec.Raw


class Told(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a record is: a line or a platform event, with the element around it."""

    line: Line | None = None
    platform: Platform | None = None
    element: Element | None = None


_ELEMENT = msgspec.json.Decoder(Element)
_PLATFORM = msgspec.json.Decoder(Platform)
_STRING = msgspec.json.Decoder(str)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like a platform line or event, by its bytes alone."""
    for sign in SIGNS:  # noqa: SIM110 a generator takes three times as long, and every record of any log comes here
        if sign in raw:
            return True
    return False


def identify(raw: bytes) -> Identity | None:
    """The identity and secrets of one record; None where it is none of Lambda's. Raises nothing."""
    told = parsed(raw)
    if told is None:
        return None
    if raw[:1] not in (b"{", b'"'):
        return Identity(SCHEME, identities.hashed(raw), withheld=secret_names.TELLING.search(raw) is not None)
    found = secret_spans.find(raw)
    try:
        return Identity(SCHEME, _id(told.element, mask(raw, found.spans)), found.spans, found.unsure)
    except UnicodeError:
        return None


def _id(element: Element | None, kept: bytes) -> str:
    if element is not None and element.id:
        return identities.canonical(f"id:{element.id}")
    if element is not None and element.eventId:
        return identities.canonical(f"eventId:{element.eventId}")
    text = _STRING.decode(kept) if kept[:1] == b'"' else ""
    return identities.hashed(text.encode() if text[:1] == "{" else kept)


def parsed(raw: bytes) -> Told | None:
    """What ``raw`` is; None where it is none of Lambda's, or no JSON that could be. Raises nothing."""
    if len(raw) > _LONGEST * 6:
        return None
    try:
        text = raw.decode() if raw[:1] != b'"' else _STRING.decode(raw)
        return _object(text) if text[:1] == "{" else _text(text, None)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _object(text: str) -> Told | None:
    try:
        element = _ELEMENT.decode(text)
    except msgspec.ValidationError:
        return _platform(text, None)
    return _text(element.message, element)


def _text(text: str, element: Element | None) -> Told | None:
    if text.lstrip()[:1] == "{":
        return _platform(text, element)
    line = parse(text)
    return Told(line=line, element=element) if line is not None else None


def _platform(text: str, element: Element | None) -> Told | None:
    event = _PLATFORM.decode(text)
    return Told(platform=event, element=element) if event.type.startswith("platform.") else None
