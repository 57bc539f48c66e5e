"""Lambda functions: a key by the service every hour or so, invocations between, their lines, and spans of half."""

from functools import partial

import msgspec

from custody.model.events import Stage
from custody.simulation.chance import Chance
from custody.simulation.entry import LAMBDA, About, Entry
from custody.simulation.estate import Estate
from custody.simulation.systems import aws, aws_issues, otel
from custody.simulation.times import MINUTE, SECOND, milliseconds
from custody.simulation.truth import Run
from custody.simulation.world import FUNCTIONS, MAIN, REGION, Workload, access_key

LIFE = 7_200
STAY = 75 * MINUTE
CALLS = (
    aws.read("ssm", "GetParameter", name="/functions/rates", withDecryption=False),
    aws.read("sqs", "GetQueueAttributes", queueUrl="invoices"),
)


def begin(estate: Estate, workload: Workload) -> None:
    """One execution environment after the other."""
    chance = estate.chance.fork("function", workload.name)
    estate.at(estate.since + chance.seconds(200, 800), partial(_environment, estate, workload, chance, 0))


def _environment(estate: Estate, workload: Workload, chance: Chance, number: int, time: int) -> None:
    """A new environment gets a key, and works with it until it is taken away."""
    role = estate.world.roles[f"{MAIN}/{workload.name}"]
    session = aws.Session(
        key=access_key(chance, "ASIA", MAIN),
        role=role,
        name=workload.name,
        created=time,
        function=f"arn:aws:lambda:{REGION}:{MAIN}:function:{workload.name}",
    )
    address = chance.pick(FUNCTIONS)
    entry = msgspec.structs.replace(aws_issues.entry_of(session, LIFE, "function role session"), origins=(address,))
    aws_issues.by_aws(estate, chance, "lambda", session, LIFE, entry)
    caller = aws.by_session(session, address, aws.BOTO)
    _say(estate, workload, time + 100_000, "INIT_START Runtime Version: python:3.13.v62	Runtime Version ARN: arn")
    times = chance.spread(time + SECOND, time + STAY, STAY // (6 * MINUTE))
    for turn, moment in enumerate(times):
        invoke(estate, workload, chance, caller, moment, told=turn % 2 == 0)
    estate.book.link(times[0] + 40_000, "access_key", entry.key, entry.key)
    estate.at(time + STAY, partial(_environment, estate, workload, chance, number + 1))


def invoke(estate: Estate, workload: Workload, chance: Chance, caller: aws.Caller, time: int, *, told: bool) -> str:
    """One invocation: its three lines, its call, and where it is traced its span; gives its key."""
    invocation, took = chance.uuid(), chance.between(200_000, 3_000_000)
    key, end = f"aws_invocation:lambda:{invocation}", time + took
    _say(estate, workload, time, f"START RequestId: {invocation} Version: $LATEST", (Stage.START, key))
    request = aws.say(estate, chance, caller, chance.pick(CALLS), time + took // 3)
    _say(estate, workload, end, f"END RequestId: {invocation}", (Stage.END, key))
    cost = f"Duration: {took / 1000:.2f} ms\tBilled Duration: {took // 1000 + 1} ms"
    cost += "\tMemory Size: 256 MB\tMax Memory Used: 91 MB\t"
    _say(estate, workload, end, f"REPORT RequestId: {invocation}\t{cost}")
    name = f"aws_function:{MAIN}:{workload.name}"
    estate.book.run(Run(key=key, kind="invocation", workload=name, started=time, ended=end))
    if told:
        _trace(estate, workload, chance, invocation, request, (time, end))
        estate.book.link(end, "span_request", key, aws.key_of(caller.key or ""))
    return key


def _trace(
    estate: Estate, workload: Workload, chance: Chance, invocation: str, request: str, span: tuple[int, int]
) -> None:
    time, end = span
    resource = {
        "service.name": workload.name,
        "cloud.provider": "aws",
        "cloud.platform": "aws_lambda",
        "cloud.account.id": MAIN,
        "cloud.region": REGION,
        "faas.name": workload.name,
    }
    trace, root = chance.hex(32), chance.hex(16)
    spans = [
        otel.Span(
            trace=trace, id=root, name=workload.name, start=time, end=end, kind=otel.SERVER,
            attributes={"faas.invocation_id": invocation},
        ),
        otel.Span(
            trace=trace, id=chance.hex(16), parent=root, name="SSM.GetParameter", kind=otel.CLIENT,
            start=time + 50_000, end=end - 10_000,
            attributes={"rpc.system": "aws-api", "aws.request_id": request, "faas.invocation_id": invocation},
        ),
    ]  # fmt: skip
    otel.say(estate, end + 200_000, resource, spans, scope="opentelemetry.instrumentation.botocore")


def _say(estate: Estate, workload: Workload, time: int, text: str, *about: About) -> None:
    line = f"{milliseconds(estate.clock(LAMBDA, time))} {text}".encode()
    estate.say(Entry(time=time, source=LAMBDA, line=line, about=about, place=workload.name))
