"""An OTLP batch's typed meaning: the events of its spans, its log records and its metrics, in that order."""

from collections.abc import Iterator

import msgspec

from custody.errors import SourceError
from custody.model.events import Event, Outcome, Skip
from custody.sources.decoding import told
from custody.sources.otel_otlp import names, spans
from custody.sources.otel_otlp.context import Context, context_of, workload_of
from custody.sources.otel_otlp.credentials import uses
from custody.sources.otel_otlp.records import (
    Batch,
    LogRecord,
    Metric,
    ResourceLogs,
    ResourceMetrics,
    attributes_of,
    clean,
    first_of,
    hex_id,
    nanoseconds,
)

_BATCH = msgspec.json.Decoder(Batch)
_ERROR_SEVERITY = 17


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The events of a kept batch, or why there are none. Raises nothing."""
    return told(lambda: tuple(_events(_BATCH.decode(kept))))


def _events(batch: Batch) -> Iterator[Event]:
    yield from spans.events(batch.resourceSpans or ())
    for at, logs in enumerate(batch.resourceLogs or ()):
        yield from _logs(logs, f"$.resourceLogs[{at}]")
    for at, metrics in enumerate(batch.resourceMetrics or ()):
        yield from _metrics(metrics, f"$.resourceMetrics[{at}]")


def _logs(logs: ResourceLogs, where: str) -> Iterator[Event]:
    context = context_of(logs.resource)
    for at, scope in enumerate(logs.scopeLogs or ()):
        for number, record in enumerate(scope.logRecords or ()):
            yield _log(record, context, f"{where}.scopeLogs[{at}].logRecords[{number}]")


def _log(record: LogRecord, context: Context, where: str) -> Event:
    """One log record. Its severity says whether it tells of an error; its body is not looked at."""
    time = nanoseconds(record.timeUnixNano, f"{where}.timeUnixNano")
    if time is None:
        time = nanoseconds(record.observedTimeUnixNano, f"{where}.observedTimeUnixNano")
    if time is None:
        raise SourceError("a log record without a time", where=where, expected="timeUnixNano or observedTimeUnixNano")
    said = attributes_of(record.attributes, names.OF_SPANS)
    tags = {**context.tags, **{name: said[name] for name in names.TAGS if name in said}}
    parts = uses(said, context, workload_of({**context.attributes, **said}, context.service))
    return Event(
        id=said.get("log.record.uid", ""),
        time=time,
        service=context.service,
        action=clean(record.eventName) or said.get("event.name") or "log",
        outcome=Outcome.ERROR if _is_error(record.severityNumber) else Outcome.SUCCESS,
        parts=parts,
        error=said.get("error.type"),
        account=context.account,
        region=context.region,
        category="log",
        principal=context.key if parts else None,
        principal_kind="service" if context.key and parts else None,
        session=said.get("session.id"),
        request_id=first_of(said, "aws.request_id", "aws.requestId"),
        tags=msgspec.json.encode(tags).decode() if tags else None,
        trace=hex_id(record.traceId, 32),
    )


def _is_error(severity: int | str | None) -> bool:
    if isinstance(severity, str):
        if not (severity.isascii() and severity.isdigit() and len(severity) <= 3):
            return severity.startswith(("SEVERITY_NUMBER_ERROR", "SEVERITY_NUMBER_FATAL"))
        severity = int(severity)
    return severity is not None and severity >= _ERROR_SEVERITY


def _metrics(metrics: ResourceMetrics, where: str) -> Iterator[Event]:
    """One event for the metrics of a resource, at the last time measured: that the service was there."""
    context = context_of(metrics.resource)
    times = [
        time for scope in metrics.scopeMetrics or () for metric in scope.metrics or () for time in _times(metric, where)
    ]
    if times:
        yield Event(
            id="",
            time=max(times),
            service=context.service,
            action="metrics",
            outcome=Outcome.SUCCESS,
            parts=(),
            account=context.account,
            region=context.region,
            category="metric",
            tags=msgspec.json.encode(context.tags).decode() if context.tags else None,
        )


def _times(metric: Metric, where: str) -> Iterator[int]:
    kinds = (metric.gauge, metric.sum, metric.histogram, metric.exponentialHistogram, metric.summary)
    for points in kinds:
        for point in (points.dataPoints if points else None) or ():
            time = nanoseconds(point.timeUnixNano, f"{where}: a data point's timeUnixNano")
            if time is not None:
                yield time
