"""What a span means: a plain event with its trace, and parts where it names a credential, a request, a run or an agent.

Everything is self-reported. A run or a task gives two events, at its start and at its end. A plain event names no
principal: only parts can say who asserts them.
"""

from collections.abc import Iterator, Sequence

import msgspec

from custody.errors import SourceError
from custody.model.events import Asserter, Event, Outcome, Part, Stage
from custody.model.keys import scoped
from custody.sources.otel_otlp import names
from custody.sources.otel_otlp.context import Context, context_of, person_of, workload_of
from custody.sources.otel_otlp.credentials import uses
from custody.sources.otel_otlp.records import (
    ResourceSpans,
    Span,
    attributes_of,
    clean,
    first_of,
    hex_id,
    nanoseconds,
)
from custody.sources.otel_otlp.tasks import Node, Tasks, tasks_of

_SELF = Asserter.SELF_REPORTED
_ERROR = (2, "2", "STATUS_CODE_ERROR")
_SERVER = (2, "2", "SPAN_KIND_SERVER")


class Told(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One span with what its attributes say; ``node`` is None where its ids are none."""

    span: Span
    said: dict[str, str]
    context: Context
    node: Node | None
    where: str


def events(resources: Sequence[ResourceSpans]) -> Iterator[Event]:
    """The events of all spans, in order. Raises SourceError for a span without a time."""
    told = [one for at, resource in enumerate(resources) for one in _told(resource, f"$.resourceSpans[{at}]")]
    tasks = tasks_of(one.node for one in told)
    for one in told:
        yield from _events(one, tasks)


def _told(resource: ResourceSpans, where: str) -> Iterator[Told]:
    context = context_of(resource.resource)
    for at, scope in enumerate(resource.scopeSpans or ()):
        for number, span in enumerate(scope.spans or ()):
            said = attributes_of(span.attributes, names.OF_SPANS)
            node = _node(span, said, context)
            yield Told(
                span=span, said=said, context=context, node=node, where=f"{where}.scopeSpans[{at}].spans[{number}]"
            )


def _node(span: Span, said: dict[str, str], context: Context) -> Node | None:
    trace, own = hex_id(span.traceId, 32), hex_id(span.spanId, 16)
    if trace is None or own is None:
        return None
    is_task = said.get("gen_ai.operation.name") == "invoke_agent"
    task = scoped("agent_task", context.service, f"{trace}/{own}") if is_task else None
    return Node((trace, own), hex_id(span.parentSpanId, 16), task)


def _events(one: Told, tasks: Tasks) -> Iterator[Event]:
    start = nanoseconds(one.span.startTimeUnixNano, f"{one.where}.startTimeUnixNano")
    end = nanoseconds(one.span.endTimeUnixNano, f"{one.where}.endTimeUnixNano")
    time = end if start is None else start
    if time is None:
        raise SourceError("a span without a time", where=one.where, expected="startTimeUnixNano")
    run = _task_run(one, tasks) or _pipeline_run(one)
    started = (run,) if run else ()
    outcome = _outcome(one)
    inside = (tasks.around(one.node.place) if one.node else None) or _workload(one)
    parts = (*uses(one.said, one.context, inside), *started, *_changes(one, tasks, inside))
    event = _event(one, time, Outcome.SUCCESS if run and end else outcome, parts)
    yield event
    if run is not None and end is not None:
        ended = msgspec.structs.replace(run, stage=Stage.END, effect="run.end")
        yield msgspec.structs.replace(event, time=end, outcome=outcome, error=_error(one, outcome), parts=(ended,))


def _event(one: Told, time: int, outcome: Outcome, parts: tuple[Part, ...]) -> Event:
    said, context = one.said, one.context
    agent = _agent(one)
    tags = {**context.tags, **{name: said[name] for name in names.TAGS if name in said}}
    server = one.span.kind in _SERVER
    return Event(
        id="/".join(one.node.place) if one.node else "",
        time=time,
        service=context.service,
        action=_action(one),
        outcome=outcome,
        parts=parts,
        error=_error(one, outcome),
        account=context.account,
        region=context.region,
        category="span",
        origin=said.get("network.peer.address") if server else None,
        endpoint=_endpoint(said, server),
        agent=said.get("user_agent.original"),
        principal=(agent or context.key) if parts else None,
        principal_kind=("agent" if agent else "service" if context.key else None) if parts else None,
        session=said.get("session.id"),
        request_id=first_of(said, "aws.request_id", "aws.requestId"),
        resource=first_of(said, "mcp.resource.uri", "cicd.pipeline.name"),
        tags=msgspec.json.encode(tags).decode() if tags else None,
        trace=hex_id(one.span.traceId, 32),
    )


def _action(one: Told) -> str:
    """The operation of an agent with its tool, else the name of the span."""
    operation = one.said.get("gen_ai.operation.name")
    if operation in names.OPERATIONS:
        about = first_of(one.said, "gen_ai.tool.name") if operation == "execute_tool" else _agent_name(one)
        return f"{operation} {about}" if about else operation
    return clean(one.span.name) or "span"


def _endpoint(said: dict[str, str], server: bool) -> str | None:
    """What was called: the server, else for a client the peer of the connection."""
    host, port = said.get("server.address"), said.get("server.port")
    if host is None and not server:
        host, port = said.get("network.peer.address"), said.get("network.peer.port")
    if host is None or port is None:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _outcome(one: Told) -> Outcome:
    """A refusal by its status code or its type of error; else what the status says."""
    if any(one.said.get(name) in refused for name, refused in names.REFUSED.items()):
        return Outcome.DENIED
    if any(word in one.said.get("error.type", "") for word in names.REFUSALS):
        return Outcome.DENIED
    return Outcome.ERROR if one.span.status and one.span.status.code in _ERROR else Outcome.SUCCESS


def _error(one: Told, outcome: Outcome) -> str | None:
    return one.said.get("error.type") if outcome is not Outcome.SUCCESS else None


def _workload(one: Told) -> str | None:
    """The run that the span names, else the one that its resource is."""
    return workload_of({**one.context.attributes, **one.said}, one.context.service)


def _agent_name(one: Told) -> str | None:
    return first_of(one.said, "gen_ai.agent.name", "gen_ai.agent.id")


def _agent(one: Told) -> str | None:
    """The key of the agent, by its id or else its name."""
    found = first_of(one.said, "gen_ai.agent.id", "gen_ai.agent.name")
    return scoped("agent", one.context.service, found) if found else None


def _above(one: Told, tasks: Tasks) -> str | None:
    """The task that the span was started by, else its parent span: that may stand in another batch."""
    if one.node is None or one.node.parent is None:
        return None
    trace = one.node.place[0]
    return tasks.around((trace, one.node.parent)) or f"otel_span:w3c:{trace}/{one.node.parent}"


def _task_run(one: Told, tasks: Tasks) -> Part | None:
    """The start of an agent's task."""
    if one.node is None or one.node.task is None:
        return None
    return Part(
        stage=Stage.START,
        key=one.node.task,
        subject=person_of(one.said, one.context.service),
        workload=_workload(one),
        effect="run.start",
        object=_agent(one),
        related=_above(one, tasks),
        asserter=_SELF,
    )


def _pipeline_run(one: Told) -> Part | None:
    """The start of a run of a pipeline (its root span), or of a task in it (a span that has an id of its own)."""
    said, everything = one.said, {**one.context.attributes, **one.said}
    task, run = said.get("cicd.pipeline.task.run.id"), everything.get("cicd.pipeline.run.id")
    root = not one.span.parentSpanId and "cicd.pipeline.name" in everything
    if task is None and (run is None or not root):
        return _jenkins_run(one)
    service = one.context.service
    return Part(
        stage=Stage.START,
        key=scoped("ci_run", service, task or run or ""),
        subject=person_of(said, service),
        effect="run.start",
        related=scoped("ci_run", service, run) if task and run else None,
        asserter=_SELF,
    )


def _jenkins_run(one: Told) -> Part | None:
    """The same as the plugin of Jenkins names it, before there was a convention."""
    pipeline, number = one.said.get("ci.pipeline.id"), one.said.get("ci.pipeline.run.number")
    if one.span.parentSpanId or not pipeline or not number:
        return None
    key = scoped("ci_run", one.context.service, f"{pipeline}/{number}")
    return Part(stage=Stage.START, key=key, effect="run.start", asserter=_SELF)


def _changes(one: Told, tasks: Tasks, inside: str | None) -> tuple[Part, ...]:
    """A call of a tool, the making of an agent, a request to AWS: what the run ``inside`` which it was says it did."""
    operation, tool = one.said.get("gen_ai.operation.name"), one.said.get("gen_ai.tool.name")
    if operation == "execute_tool" or one.said.get("mcp.method.name") == "tools/call":
        return _change(one, "tool.call", _above(one, tasks) or _agent(one), tool, inside)
    if operation == "create_agent":
        return _change(one, "agent.create", _agent(one), _agent_name(one), inside)
    if first_of(one.said, "aws.request_id", "aws.requestId"):
        return _change(one, "api.call", inside or one.context.key, _action(one), inside)
    return ()


def _change(one: Told, effect: str, key: str | None, about: str | None, inside: str | None) -> tuple[Part, ...]:
    if key is None:
        return ()
    return (
        Part(
            stage=Stage.CHANGE,
            key=key,
            subject=person_of(one.said, one.context.service),
            workload=inside,
            effect=effect,
            object=about,
            asserter=_SELF,
        ),
    )
