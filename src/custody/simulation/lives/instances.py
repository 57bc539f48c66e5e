"""EC2 instances: started by the operator, keys handed out and renewed by EC2, calls through their network's NAT."""

from functools import partial

import msgspec

from custody.model.events import Stage
from custody.simulation.chance import Chance
from custody.simulation.estate import Estate
from custody.simulation.lives import people
from custody.simulation.systems import aws, aws_issues, compute, flows
from custody.simulation.times import HOUR, MINUTE, SECOND
from custody.simulation.truth import Run
from custody.simulation.world import MAIN, Instance, Workload, access_key, account_of, instance

LIFE = 23_700
GENERATION = 3 * HOUR
STOP_RENEWING = 10 * MINUTE
CALLS = (
    aws.read("sqs", "GetQueueAttributes", queueUrl="orders"),
    aws.read("dynamodb", "DescribeTable", tableName="orders"),
    aws.read("ssm", "GetParametersByPath", path="/orders/", recursive=True, withDecryption=False),
    aws.write("ssm", "UpdateInstanceInformation", agentName="amazon-ssm-agent", agentVersion="3.3.1957.0"),
)
NODE_CALLS = (
    aws.read("ec2", "DescribeInstances", instancesSet={}, filterSet={}),
    aws.read("ecr", "GetAuthorizationToken"),
    aws.read("ec2", "DescribeNetworkInterfaces", networkInterfaceIdSet={}, filterSet={}),
)


def begin(estate: Estate) -> None:
    """Both networks are built, and the nodes of the cluster start in the main one."""
    estate.at(estate.since + 20 * SECOND, partial(_networks, estate))
    for node in estate.world.nodes:
        chance = estate.chance.fork("node", node.id)
        estate.at(estate.since + chance.seconds(60, 100), partial(start, estate, node, chance, NODE_CALLS, None))


def begin_workload(estate: Estate, workload: Workload) -> None:
    """One instance of its own; every second one is terminated before the day is over."""
    chance = estate.chance.fork("instance", workload.name)
    made = of_workload(estate, workload, chance)
    length = estate.until - estate.since
    end = estate.since + length * 4 // 5 if workload.number // 10 % 2 == 0 else None
    estate.at(estate.since + chance.seconds(120, 400), partial(start, estate, made, chance, CALLS, end))


def of_workload(estate: Estate, workload: Workload, chance: Chance, number: int = 0) -> Instance:
    """The instance of a workload."""
    account = account_of(workload)
    network = estate.world.main if account == MAIN else estate.world.second
    private = f"10.{20 if account == MAIN else 60}.2.{10 + workload.number % 200 + number}"
    return instance(chance.fork("id", number), estate.world.roles[f"{account}/{workload.name}"], network, private)


def _networks(estate: Estate, time: int) -> None:
    chance = estate.chance.fork("networks")
    for network in (estate.world.main, estate.world.second):
        caller = people.operator(estate, time)
        caller = msgspec.structs.replace(caller, account=network.account)
        aws.say(estate, chance, caller, compute.allocate(network), time)
        aws.say(estate, chance, caller, compute.nat_gateway(network, time + 6 * SECOND), time + 6 * SECOND)


def start(
    estate: Estate, made: Instance, chance: Chance, calls: tuple[aws.Call, ...], end: int | None, time: int
) -> None:
    """RunInstances, the first key, and in time TerminateInstances."""
    launch(estate, chance, made, time)
    if end is not None:
        terminate(estate, chance, made, end)
    estate.at(time + 30 * SECOND, partial(_generation, estate, made, chance, calls, end, 0))


def launch(estate: Estate, chance: Chance, made: Instance, time: int) -> None:
    """The operator starts the instance."""
    _operate(estate, chance, made, compute.run_instance(made, time), time, (Stage.START, made.key))
    estate.book.run(Run(key=made.key, kind="instance", workload=made.role.key, started=time - time % SECOND))


def terminate(estate: Estate, chance: Chance, made: Instance, time: int) -> None:
    """The operator ends the instance."""
    time -= time % SECOND
    _operate(estate, chance, made, compute.terminate(made), time, (Stage.END, made.key))
    run = estate.book.runs[made.key]
    estate.book.runs[made.key] = msgspec.structs.replace(run, ended=time)


def _operate(
    estate: Estate, chance: Chance, made: Instance, call: aws.Call, time: int, about: tuple[Stage, str]
) -> None:
    caller = msgspec.structs.replace(people.operator(estate, time), account=made.role.account)
    aws.say(estate, chance, caller, call, time, about=(about,))


def session_of(made: Instance, chance: Chance, number: int, time: int) -> aws.Session:
    """The key of a generation: known to everybody who knows the instance and the number."""
    key = access_key(chance.fork("key", made.id, number), "ASIA", made.role.account)
    return aws.Session(key=key, role=made.role, name=made.id, created=time, delivery="2.0")


def issue(estate: Estate, made: Instance, chance: Chance, number: int, time: int) -> aws.Session:
    """EC2 hands out the next key."""
    session = session_of(made, chance, number, time)
    entry = aws_issues.entry_of(session, LIFE, "instance role session")
    entry = msgspec.structs.replace(
        entry, run=made.key, run_visible="issuer", origins=(made.network.address, made.private)
    )
    aws_issues.by_aws(estate, chance, "ec2", session, LIFE, entry)
    return session


def _generation(
    estate: Estate,
    made: Instance,
    chance: Chance,
    calls: tuple[aws.Call, ...],
    end: int | None,
    number: int,
    time: int,
) -> None:
    """A key, the calls until the next one, and the flows that the network saw of them."""
    session = issue(estate, made, chance, number, time)
    until = min(time + GENERATION, end - 20 * SECOND if end else estate.until + HOUR)
    caller = aws.by_session(session, made.network.address, aws.BOTO)
    count = max(1, (until - time) // (2 * MINUTE))
    times = chance.spread(time + 2 * SECOND, until, count)
    aws.work(estate, chance, caller, calls, times)
    for moment in times[::3]:
        flows.say(estate, chance, made, moment, "192.0.2.200", 443)
    estate.book.link(times[0], "access_key", aws.key_of(session.key), aws.key_of(session.key))
    if end is None or time + GENERATION < end - STOP_RENEWING:
        estate.at(time + GENERATION, partial(_generation, estate, made, chance, calls, end, number + 1))
