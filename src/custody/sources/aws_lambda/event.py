# ruff: noqa: N815 - fields have the names that they have in the log
"""The typed meaning of a platform line or event: starts and ends of invocations, and what the platform says of them."""

import re

import msgspec

from custody.errors import SourceError
from custody.model.events import Event, Outcome, Part, Skip, Stage
from custody.sources import moments
from custody.sources.aws_lambda.lines import Line, function_of
from custody.sources.aws_lambda.record import Element, Platform, Told, parsed
from custody.sources.decoding import told

_SERVICE = "lambda.amazonaws.com"
_FAILED = ("error", "timeout", "failure")
_ROOT = re.compile(r"(?:Root=)?1-([0-9a-fA-F]{8})-([0-9a-fA-F]{24})(?:;.*)?")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_EFFECTS = {
    "START": (Stage.START, "run.start"),
    "platform.start": (Stage.START, "run.start"),
    "END": (Stage.END, "run.end"),
    "platform.end": (Stage.END, "run.end"),
    "platform.report": (Stage.END, "run.end"),
    "REPORT": (Stage.CHANGE, "run.report"),
    "TIMEOUT": (Stage.CHANGE, "run.timeout"),
    "platform.runtimeDone": (Stage.CHANGE, "run.runtime_done"),
}
"""The text format has an END line before its REPORT; in the JSON format the report is what comes last."""


class Tracing(msgspec.Struct, frozen=True, gc=False):
    """The X-Ray header of an invocation."""

    value: str | None = None


class Body(msgspec.Struct, frozen=True, gc=False):
    """The record of a platform event, whatever its type."""

    requestId: str | None = None
    version: str | None = None
    functionName: str | None = None
    functionArn: str | None = None
    functionVersion: str | None = None
    status: str | None = None
    errorType: str | None = None
    initializationType: str | None = None
    phase: str | None = None
    runtimeVersion: str | None = None
    instanceId: str | None = None
    reason: str | None = None
    droppedRecords: int | None = None
    droppedBytes: int | None = None
    tracing: Tracing | None = None
    metrics: dict[str, int | float | str] | None = None


_BODY = msgspec.json.Decoder(Body)
_TAGS = (
    "version", "functionVersion", "status", "initializationType", "phase", "runtimeVersion", "instanceId", "reason",
    "droppedRecords", "droppedBytes",
)  # fmt: skip


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The event of a kept record, or why there is none. Raises nothing; the bytes themselves tell the form."""
    return told(lambda: (_event(kept),))


def _event(kept: bytes) -> Event:
    found = parsed(kept)
    if found is None:
        raise SourceError("no platform line or event of Lambda")
    if found.platform is not None:
        return _of_platform(found.platform, found.element)
    assert found.line is not None
    return _of_line(found.line, found)


def _of_line(line: Line, found: Told) -> Event:
    element = found.element
    status, failed = line.facts.get("Status"), line.kind == "TIMEOUT"
    tags: dict[str, object] = {**({"Version": line.version} if line.version else {}), **line.facts}
    name = _function(element) or function_of(line.stream)
    return _made(
        line.kind,
        _time(line, element),
        line.id,
        name=name,
        outcome=Outcome.ERROR if failed or status in _FAILED else Outcome.SUCCESS,
        error=line.facts.get("Error Type") or ("timeout" if failed else status if status in _FAILED else None),
        trace=_trace(line.facts.get("XRAY TraceId")),
        tags=tags,
    )


def _time(line: Line, element: Element | None) -> int:
    """The time of a line: CloudWatch's where it is in its element, else the one before the line."""
    if element is not None and element.timestamp is not None:
        return moments.of_milliseconds(element.timestamp, "$.timestamp")
    if line.time is None:
        raise SourceError(
            "a line without a time", expected="a time before it, or the log event around it", advice="export with times"
        )
    return moments.rfc3339(line.time, "the time before the line")


def _of_platform(event: Platform, element: Element | None) -> Event:
    body = _body(event)
    bad = event.type.removeprefix("platform.") if event.type in ("platform.logsDropped", "platform.fault") else None
    tags: dict[str, object] = {name: value for name in _TAGS if (value := getattr(body, name)) is not None}
    return _made(
        event.type,
        moments.rfc3339(event.time, "$.time"),
        _request(body.requestId),
        name=body.functionName or _of_arn(body.functionArn) or _function(element),
        outcome=Outcome.ERROR if bad or body.status in _FAILED else Outcome.SUCCESS,
        error=body.errorType or bad or (body.status if body.status in _FAILED else None),
        trace=_trace(body.tracing.value if body.tracing else None),
        tags={**tags, **(body.metrics or {})},
    )


def _body(event: Platform) -> Body:
    """The record of an event; that of a fault is text, which may hold anything."""
    raw = bytes(event.record)
    return _BODY.decode(raw) if raw[:1] == b"{" else Body()


def _request(text: str | None) -> str | None:
    if text is None:
        return None
    low = text.lower()
    if not _ID.fullmatch(low):
        raise SourceError("not an id of an invocation", where="$.record.requestId", found=repr(text[:60]))
    return low


def _made(
    action: str,
    time: int,
    invocation: str | None,
    *,
    name: str | None,
    outcome: Outcome,
    error: str | None,
    trace: str | None,
    tags: dict[str, object],
) -> Event:
    return Event(
        id=invocation or "",
        time=time,
        service=_SERVICE,
        action=action,
        outcome=outcome,
        parts=_parts(action, invocation, f"aws_function:-:{name}" if name else None),
        error=error,
        category="platform",
        request_id=invocation,
        resource=name,
        tags=msgspec.json.encode(tags).decode() if tags else None,
        trace=trace,
    )


def _parts(action: str, invocation: str | None, function: str | None) -> tuple[Part, ...]:
    if action in _EFFECTS and invocation is not None:
        stage, effect = _EFFECTS[action]
        return (Part(stage=stage, key=f"aws_invocation:lambda:{invocation}", effect=effect, object=function),)
    if action == "platform.initStart" and function is not None:
        return (Part(stage=Stage.CHANGE, key=function, effect="function.init"),)
    return ()


def _function(element: Element | None) -> str | None:
    """The function that a log event names by its group, or by its stream where functions share a group."""
    if element is None:
        return None
    group = element.logGroup or element.logGroupName or ""
    if "/aws/lambda/" in group:
        name = group.rpartition("/aws/lambda/")[2]
        return name if re.fullmatch(r"[A-Za-z0-9_-]{1,140}", name) else None
    return function_of(element.logStreamName)


def _of_arn(arn: str | None) -> str | None:
    parts = (arn or "").split(":")
    return parts[6] if len(parts) >= 7 and parts[2] == "lambda" and parts[5] == "function" else None


def _trace(text: str | None) -> str | None:
    """The trace id of W3C form that an X-Ray id is: its hex digits without version and hyphens."""
    found = _ROOT.fullmatch(text or "")
    return (found[1] + found[2]).lower() if found else None
