"""Pods that get AWS keys by EKS Pod Identity: the node asks, STS answers with a key whose tags name the pod."""

from functools import partial

import msgspec

from custody.simulation.chance import Chance
from custody.simulation.estate import Estate
from custody.simulation.lives import cluster, instances
from custody.simulation.systems import aws, aws_issues, kubernetes
from custody.simulation.systems.kubernetes import Pod
from custody.simulation.times import MINUTE, SECOND
from custody.simulation.world import CLUSTER, CLUSTER_ARN, MAIN, Workload, access_key

LIFE = 21_600
AUDIENCE = "pods.eks.amazonaws.com"
TOKEN_LIFE = 86_400
CALLS = (
    aws.read("dynamodb", "DescribeTable", tableName="shipments"),
    aws.read("sns", "GetTopicAttributes", topicArn="shipments"),
    aws.read("kinesis", "ListShards", streamName="positions"),
)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A pod with its AWS session, and until when it lives."""

    pod: Pod
    session: aws.Session
    caller: aws.Caller
    started: int
    end: int


def begin(estate: Estate, workload: Workload) -> None:
    """One pod after the other."""
    chance = estate.chance.fork("pod identity", workload.name)
    estate.at(estate.since + chance.seconds(240, 900), partial(_turn, estate, workload, chance, 0))


def _turn(estate: Estate, workload: Workload, chance: Chance, number: int, time: int) -> None:
    held = hold(estate, workload, chance.fork(number), time)
    count = (held.end - time) // (3 * MINUTE)
    times = chance.spread(time + 20 * SECOND, held.end - 10 * SECOND, count)
    aws.work(estate, chance, held.caller, CALLS, times)
    used(estate, held, times[0])
    estate.at(held.end + chance.seconds(5, 60), partial(_turn, estate, workload, chance, number + 1))


def used(estate: Estate, held: Held, time: int) -> None:
    """Enter that the key was used, first at ``time``."""
    key = aws.key_of(held.session.key)
    estate.book.link(time, "access_key", key, key)


def hold(estate: Estate, workload: Workload, chance: Chance, time: int) -> Held:
    """A pod, its token for the agent of the node, and its AWS session."""
    pod = cluster.new_pod(estate, chance, workload.namespace, workload.name)
    end = time + chance.seconds(90 * 60, 200 * 60)
    cluster.start_pod(estate, chance, time, pod)
    gone = kubernetes.pod_deleted(estate, chance, end, pod, 4 * SECOND)
    estate.book.runs[pod.key] = msgspec.structs.replace(estate.book.runs[pod.key], ended=gone)
    token = f"JTI={chance.uuid()}"
    cluster.give_token(estate, chance, time + 2 * SECOND, pod, token, AUDIENCE, TOKEN_LIFE, gone)
    session = _session(estate, workload, chance, pod, time + 8 * SECOND)
    caller = aws.by_session(session, estate.world.main.address, aws.GO)
    return Held(pod=pod, session=session, caller=caller, started=time, end=end)


def _session(estate: Estate, workload: Workload, chance: Chance, pod: Pod, time: int) -> aws.Session:
    """Two records in one second: the node's call, which shows no key, and the session that STS gave."""
    asked: aws.Fields = {"clusterName": CLUSTER, "token": "HIDDEN_DUE_TO_SECURITY_REASONS"}
    agent = aws.by_session(
        node_session(estate, pod, time), estate.world.main.address, f"eks-pod-identity-agent/0.1.21 {aws.GO}"
    )
    call = aws.Call(service="eks-auth", action="AssumeRoleForPodIdentity", params=asked)
    aws.say(estate, chance, agent, call, time)
    role = estate.world.roles[f"{MAIN}/{workload.name}"]
    name = f"eks-{CLUSTER}-{pod.name[:10]}-{chance.uuid()}"
    session = aws.Session(key=access_key(chance, "ASIA", MAIN), role=role, name=name, created=time)
    tags = {
        "eks-cluster-arn": CLUSTER_ARN,
        "eks-cluster-name": CLUSTER,
        "kubernetes-namespace": pod.namespace,
        "kubernetes-service-account": pod.account,
        "kubernetes-pod-name": pod.name,
        "kubernetes-pod-uid": pod.uid,
    }
    entry = aws_issues.entry_of(session, LIFE, "role session of a pod")
    entry = msgspec.structs.replace(
        entry, run=pod.key, run_visible="issuer", origins=(estate.world.main.address, pod.address)
    )
    aws_issues.by_aws(estate, chance, "pods.eks", session, LIFE, entry, tags=tags)
    estate.book.link(time, "pod_identity", entry.key, pod.key)
    return session


def node_session(estate: Estate, pod: Pod, time: int) -> aws.Session:
    """The session that the pod's node has at a moment."""
    chance = estate.chance.fork("node", pod.node.id)
    first = estate.since + chance.seconds(60, 100) + 30 * SECOND
    number = max(0, (time - first) // instances.GENERATION)
    return instances.session_of(pod.node, chance, number, first + number * instances.GENERATION)
