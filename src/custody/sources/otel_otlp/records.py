# ruff: noqa: N815 - fields have the names that they have in the log
"""The fields of an OTLP batch that custody reads, as types, and the plain values of attributes.

Numbers of 64 bits are strings or numbers, as both are written. Values of attributes stay raw until one is asked for.
"""

from collections.abc import Iterable, Mapping

import msgspec

from custody.errors import SourceError
from custody.sources import moments
from custody.sources.otel_otlp import telling

Number = int | str | None
_LONGEST = 1024
_RAW_NULL = msgspec.Raw(b"null")


class Pair(msgspec.Struct, frozen=True, gc=False):
    """An attribute."""

    key: str = ""
    value: msgspec.Raw = _RAW_NULL


Pairs = list[Pair] | None


class Value(msgspec.Struct, frozen=True, gc=False):
    """The value of an attribute, where it is one string, number or truth."""

    stringValue: str | None = None
    intValue: int | str | None = None
    boolValue: bool | None = None


class Resource(msgspec.Struct, frozen=True, gc=False):
    """What a service says of itself and of what it runs in."""

    attributes: Pairs = None


class Status(msgspec.Struct, frozen=True, gc=False):
    """How a span ended: 2 is an error."""

    code: Number = None


class Span(msgspec.Struct, frozen=True, gc=False):
    """One operation."""

    traceId: str | None = None
    spanId: str | None = None
    parentSpanId: str | None = None
    name: str | None = None
    kind: Number = None
    startTimeUnixNano: Number = None
    endTimeUnixNano: Number = None
    attributes: Pairs = None
    status: Status | None = None


class LogRecord(msgspec.Struct, frozen=True, gc=False):
    """One log record. Its body is never read."""

    timeUnixNano: Number = None
    observedTimeUnixNano: Number = None
    severityNumber: Number = None
    eventName: str | None = None
    attributes: Pairs = None
    traceId: str | None = None
    spanId: str | None = None


class ScopeSpans(msgspec.Struct, frozen=True, gc=False):
    """Spans of one library."""

    spans: list[Span] | None = None


class ScopeLogs(msgspec.Struct, frozen=True, gc=False):
    """Log records of one library."""

    logRecords: list[LogRecord] | None = None


class ResourceSpans(msgspec.Struct, frozen=True, gc=False):
    """Spans of one resource."""

    resource: Resource | None = None
    scopeSpans: list[ScopeSpans] | None = None


class ResourceLogs(msgspec.Struct, frozen=True, gc=False):
    """Log records of one resource."""

    resource: Resource | None = None
    scopeLogs: list[ScopeLogs] | None = None


class DataPoint(msgspec.Struct, frozen=True, gc=False):
    """When something was measured."""

    timeUnixNano: Number = None


class Points(msgspec.Struct, frozen=True, gc=False):
    """The points of one metric."""

    dataPoints: list[DataPoint] | None = None


class Metric(msgspec.Struct, frozen=True, gc=False):
    """One metric, of whichever type."""

    gauge: Points | None = None
    sum: Points | None = None
    histogram: Points | None = None
    exponentialHistogram: Points | None = None
    summary: Points | None = None


class ScopeMetrics(msgspec.Struct, frozen=True, gc=False):
    """Metrics of one library."""

    metrics: list[Metric] | None = None


class ResourceMetrics(msgspec.Struct, frozen=True, gc=False):
    """Metrics of one resource."""

    resource: Resource | None = None
    scopeMetrics: list[ScopeMetrics] | None = None


class Batch(msgspec.Struct, frozen=True, gc=False):
    """One line of a file exporter."""

    resourceSpans: list[ResourceSpans] | None = None
    resourceLogs: list[ResourceLogs] | None = None
    resourceMetrics: list[ResourceMetrics] | None = None


_VALUE = msgspec.json.Decoder(Value)


def attributes_of(pairs: Pairs, names: Iterable[str]) -> dict[str, str]:
    """The attributes called ``names``, as text. One that is there twice with two values is left out: which holds?"""
    found: dict[str, str | None] = {}
    for pair in pairs or ():
        if pair.key in names:
            text = _text(pair.value)
            found[pair.key] = text if found.get(pair.key, text) == text else None
    return {name: text for name, text in found.items() if text}


def _text(raw: msgspec.Raw) -> str | None:
    """A value as text; None where it is none, too long, or holds what is or would be masked."""
    try:
        value = _VALUE.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if value.stringValue is None:
        number = value.intValue
        return str(number) if number is not None else None
    return clean(value.stringValue)


def clean(text: str | None) -> str | None:
    """``text`` where it may go into an event: some characters that print, nothing that is shaped like a secret."""
    if not text or len(text) > _LONGEST or not text.isprintable() or not telling.is_clean(text):
        return None
    return text


def nanoseconds(number: Number, where: str) -> int | None:
    """A time as microseconds since 1970; None for none and for 0, which says unknown. SourceError for what is none."""
    if number is None or number in ("", "0", 0):
        return None
    text = str(number)
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise SourceError("not a time", where=where, found=repr(text[:40]), expected="nanoseconds since 1970")
    return moments.of_nanoseconds(int(text), where)


def hex_id(text: str | None, digits: int) -> str | None:
    """A trace id (32 digits) or span id (16) in lower case; None for what is none, and for zeros, which say unset."""
    if text is None or len(text) != digits:
        return None
    low = text.lower()
    return low if low.strip("0123456789abcdef") == "" and low.strip("0") else None


def first_of(attributes: Mapping[str, str], *names: str) -> str | None:
    """The first of the attributes ``names`` that is there."""
    return next((attributes[name] for name in names if name in attributes), None)
