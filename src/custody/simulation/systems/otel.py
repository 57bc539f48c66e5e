"""OTLP JSON as the file exporter of the OpenTelemetry Collector writes it: one batch of spans a line.

Attributes are those of the semantic conventions; 64-bit numbers are strings, ids are lower-case hexadecimal.
"""

import msgspec

from custody.simulation.entry import OTEL, About, Entry, encoded
from custody.simulation.estate import Estate

INTERNAL, SERVER, CLIENT = 1, 2, 3


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One span; times in microseconds."""

    trace: str
    id: str
    name: str
    start: int
    end: int
    attributes: dict[str, str]
    parent: str | None = None
    kind: int = INTERNAL


def say(
    estate: Estate, time: int, resource: dict[str, str], spans: list[Span], *about: About, scope: str = "example.agent"
) -> None:
    """A batch of one resource."""
    scoped = {"scope": {"name": scope, "version": "1.4.0"}, "spans": [_span(estate, each) for each in spans]}
    value = {"resourceSpans": [{"resource": {"attributes": _attributes(resource)}, "scopeSpans": [scoped]}]}
    estate.say(Entry(time=time, source=OTEL, line=encoded(value), about=about))


def _span(estate: Estate, span: Span) -> dict[str, object]:
    parent = {"parentSpanId": span.parent} if span.parent else {}
    return {
        "traceId": span.trace,
        "spanId": span.id,
        **parent,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(estate.clock(OTEL, span.start) * 1000),
        "endTimeUnixNano": str(estate.clock(OTEL, span.end) * 1000),
        "attributes": _attributes(span.attributes),
        "status": {},
    }


def _attributes(values: dict[str, str]) -> list[dict[str, object]]:
    return [{"key": name, "value": {"stringValue": value}} for name, value in values.items()]
