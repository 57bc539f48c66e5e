"""An AI agent on a pod: a person asks, another approves, the agent plans and calls tools, and every step is a span."""

from functools import partial

from custody.model.events import Stage
from custody.simulation.chance import Chance
from custody.simulation.estate import Estate
from custody.simulation.lives import pod_identities
from custody.simulation.lives.pod_identities import Held
from custody.simulation.systems import approvals, aws, otel
from custody.simulation.times import MINUTE, SECOND
from custody.simulation.truth import Approval, Run
from custody.simulation.world import CLUSTER, DEVELOPERS, MAIN, MANAGERS, REGION, Workload

TOOLS = (
    ("list_instances", aws.read("ec2", "DescribeInstances", instancesSet={}, filterSet={})),
    ("read_alarms", aws.read("cloudwatch", "DescribeAlarms", maxRecords=100)),
    ("read_logs", aws.read("logs", "DescribeLogGroups", limit=50)),
    ("restart_service", aws.write("ecs", "UpdateService", cluster="web", service="web")),
)


def begin(estate: Estate, workload: Workload) -> None:
    """The agent's pod, one after the other, and its tasks."""
    chance = estate.chance.fork("agent", workload.name)
    estate.at(estate.since + chance.seconds(300, 900), partial(_turn, estate, workload, chance, 0))


def _turn(estate: Estate, workload: Workload, chance: Chance, number: int, time: int) -> None:
    held = pod_identities.hold(estate, workload, chance.fork(number), time)
    count = (held.end - time) // (25 * MINUTE)
    starts = chance.spread(time + 5 * MINUTE, held.end - 5 * MINUTE, count)
    for turn, start in enumerate(starts):
        _task(estate, workload, chance.fork(number, turn), held, held.caller, start)
    pod_identities.used(estate, held, starts[0] + 10 * SECOND)
    estate.at(held.end + chance.seconds(5, 60), partial(_turn, estate, workload, chance, number + 1))


def _task(estate: Estate, workload: Workload, chance: Chance, held: Held, caller: aws.Caller, start: int) -> None:
    """One task: asked for, approved, done with a handful of tools."""
    trace, root, person = chance.hex(32), chance.hex(16), chance.pick(DEVELOPERS)
    key = f"agent_task:{workload.name}:{trace}/{root}"
    spans: list[otel.Span] = []
    time = start + 2 * SECOND
    for turn in range(chance.between(3, 6)):
        time = _step(estate, chance, caller, (trace, root), spans, time, turn)
        estate.book.link(time, "span_request", key, aws.key_of(caller.key or ""))
    whole = otel.Span(
        trace=trace,
        id=root,
        name=f"invoke_agent {workload.name}",
        start=start,
        end=time,
        attributes={
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": workload.name,
            "gen_ai.agent.version": "3",
            "gen_ai.conversation.id": f"conv-{chance.hex(8)}",
            "enduser.id": person,
        },
    )
    stages = ((Stage.START, key), (Stage.END, key))
    otel.say(estate, time + SECOND, _resource(workload, held), [whole, *spans], *stages)
    agent = f"agent:{workload.name}:{workload.name}"
    run = Run(key=key, kind="agent task", workload=agent, started=start, ended=time, parent=held.pod.key)
    estate.book.run(run)
    _approve(estate, chance, key, start, person)


def _approve(estate: Estate, chance: Chance, key: str, start: int, person: str) -> None:
    request, manager = f"AT-{chance.hex(8)}", chance.pick(MANAGERS)
    approvals.say(estate, chance, start - 90 * SECOND, "requested", key, request, person)
    approvals.say(estate, chance, start - 20 * SECOND, "granted", key, request, person, manager)
    who, asker = approvals.person(manager), approvals.person(person)
    estate.book.approvals.append(Approval(target=key, approver=who, requester=asker, time=start - 20 * SECOND))


def _step(
    estate: Estate,
    chance: Chance,
    caller: aws.Caller,
    above: tuple[str, str],
    spans: list[otel.Span],
    time: int,
    turn: int,
) -> int:
    """The model is asked, and calls a tool, which calls AWS; gives when that was done."""
    (trace, root), (name, call) = above, TOOLS[turn % len(TOOLS)]
    chat, tool, asked = (chance.hex(16) for _ in range(3))
    thought = time + chance.seconds(2, 6)
    done = thought + chance.seconds(1, 3)
    request = aws.say(estate, chance, caller, call, thought + 300_000)
    model = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "model-x", "gen_ai.provider.name": "example"}
    used = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.call.id": f"call-{chance.hex(8)}",
    }
    sent = {"rpc.system": "aws-api", "rpc.method": call.action, "aws.request_id": request}
    spans.append(
        otel.Span(trace=trace, id=chat, parent=root, name="chat model-x", start=time, end=thought, attributes=model)
    )
    spans.append(
        otel.Span(
            trace=trace, id=tool, parent=root, name=f"execute_tool {name}", start=thought, end=done, attributes=used
        )
    )
    spans.append(
        otel.Span(
            trace=trace, id=asked, parent=tool, name=f"{call.service}.{call.action}", kind=otel.CLIENT,
            start=thought + 200_000, end=done - 100_000, attributes=sent,
        )
    )  # fmt: skip
    return done


def _resource(workload: Workload, held: Held) -> dict[str, str]:
    return {
        "service.name": workload.name,
        "service.namespace": workload.namespace,
        "k8s.cluster.name": CLUSTER,
        "k8s.namespace.name": held.pod.namespace,
        "k8s.pod.name": held.pod.name,
        "k8s.pod.uid": held.pod.uid,
        "cloud.provider": "aws",
        "cloud.account.id": MAIN,
        "cloud.region": REGION,
    }
