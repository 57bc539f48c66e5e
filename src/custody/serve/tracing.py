"""W3C Trace Context, and spans of OpenTelemetry where the edge has set it up."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from opentelemetry import context as contexts
from opentelemetry import trace as spans

from custody.broker.clock import Random

_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_NO_TRACE = b"0" * 32
_NO_SPAN = b"0" * 16
_MOST = 512
"""Bytes of a ``traceparent`` of a later version that are looked at."""


class Trace(msgspec.Struct, frozen=True, gc=False):
    """The trace that a request belongs to, the span that this service is in it, and the caller's span if it has one."""

    id: str
    span: str
    parent: str | None = None
    flags: int = 0

    def header(self) -> bytes:
        """The ``traceparent`` that is sent back: the same trace, this service's span."""
        return f"00-{self.id}-{self.span}-{self.flags:02x}".encode()


def trace_of(values: Sequence[bytes], random: Random) -> Trace:
    """The trace that the values of ``traceparent`` name; a new one where there is none, several, or a wrong one."""
    span = random(8).hex()
    found = _PARENT.fullmatch(values[0]) if len(values) == 1 and len(values[0]) <= _MOST else None
    if found is None or not _sound(found):
        return Trace(random(16).hex(), span)
    flags = int(found[4], 16) & 1
    return Trace(found[2].decode(), span, found[3].decode(), flags)


def _sound(found: re.Match[bytes]) -> bool:
    """Version ff is no version; version 00 ends after the flags; ids are not all zero."""
    ends = found[1] != b"00" or found[5] is None
    return ends and found[1] != b"ff" and found[2] != _NO_TRACE and found[3] != _NO_SPAN


class Spanned:
    """A span around one request; everything the broker does for it can hang its own spans below."""

    __slots__ = ("_span", "_token")

    def __init__(self, tracer: spans.Tracer, trace: Trace) -> None:
        self._span = tracer.start_span("request", context=_above(trace), kind=spans.SpanKind.SERVER)
        self._token = contexts.attach(spans.set_span_in_context(self._span))

    def end(self, method: str, route: str, status: int) -> None:
        """Close it under its name: method and route, never the path or the query."""
        self._span.update_name(f"{method} {route}")
        self._span.set_attribute("http.request.method", method)
        self._span.set_attribute("http.route", route)
        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_status(spans.StatusCode.ERROR)
        contexts.detach(self._token)
        self._span.end()


def _above(trace: Trace) -> contexts.Context | None:
    if trace.parent is None:
        return None
    above = spans.SpanContext(
        int(trace.id, 16), int(trace.parent, 16), is_remote=True, trace_flags=spans.TraceFlags(trace.flags)
    )
    return spans.set_span_in_context(spans.NonRecordingSpan(above))
