"""Credentials and the runs that they belong to: issued after, used after, far longer, never seen."""

from functools import partial

import msgspec

from custody.model.verdicts import Question, Severity
from custody.simulation.book import WRONG
from custody.simulation.fault import Fault, Planting
from custody.simulation.lives import cluster, deployments, functions, instances, people, pods
from custody.simulation.systems import aws, aws_issues, kubernetes
from custody.simulation.times import MINUTE, SECOND
from custody.simulation.truth import Run
from custody.simulation.world import MAIN, MAIN_NAT, Instance, Workload, access_key

REISSUE, OUTLIVES, LONG, UNSEEN = "silent-reissue", "outlives-run", "long-lived-in-run", "run-without-telemetry"
SHORT = "ttl-shorter-than-delivery"


def _reissue(planting: Planting) -> None:
    workload = planting.workload(REISSUE, "instance", 22)
    chance = planting.chance(REISSUE)
    made = instances.of_workload(planting.estate, workload, chance)
    begun, end = planting.estate.since + 150 * SECOND, planting.part(2, 5)
    planting.estate.at(begun, partial(instances.start, planting.estate, made, chance, instances.CALLS, end))
    planting.estate.at(end + 25 * MINUTE, partial(_issue_again, planting, made))


def _issue_again(planting: Planting, made: Instance, time: int) -> None:
    """The instance is gone, and gets a key all the same, which is used."""
    estate, chance = planting.estate, planting.chance(REISSUE).fork("again")
    session = instances.issue(estate, made, chance, 99, time)
    times = chance.spread(time + SECOND, time + 10 * MINUTE, 3)
    aws.work(estate, chance, aws.by_session(session, made.network.address, aws.BOTO), instances.CALLS, times)
    key = aws.key_of(session.key)
    estate.book.link(times[0], "access_key", key, key)
    for question in (Question.RENEWED, Question.WITHIN):
        estate.book.expect(key, question, *WRONG)
    text = f"{made.id} gets a new key 25 minutes after it was terminated"
    planting.enter(REISSUE, key, text, ("renewed",), Severity.HIGH, (made.key,))


def _outlives(planting: Planting) -> None:
    planting.estate.at(planting.part(1, 4), partial(_use_late, planting, planting.workload(OUTLIVES, "deploy", 10)))


def _use_late(planting: Planting, workload: Workload, time: int) -> None:
    manner = deployments.Manner(late_use=12 * MINUTE)
    done = deployments.deploy(planting.estate, workload, planting.chance(OUTLIVES), 1, time, manner)
    planting.estate.book.expect(done.second, Question.WITHIN, *WRONG)
    text = f"a key of {done.flow.key} is used twelve minutes after the run had ended"
    planting.enter(OUTLIVES, done.second, text, ("used-after-end",), Severity.MEDIUM, (done.flow.key,))


def _long(planting: Planting) -> None:
    at = planting.estate.at
    at(planting.part(1, 5), partial(_in_a_job, planting, planting.workload(LONG, "deploy", 20)))
    at(planting.part(1, 6), partial(_in_an_invocation, planting, planting.workload(LONG, "function", 23)))


def _in_a_job(planting: Planting, workload: Workload, time: int) -> None:
    """A job has a user's access key in its settings and uses it beside its own session."""
    estate, chance = planting.estate, planting.chance(LONG)
    user, own = estate.world.users["ci-legacy"], access_key(chance, "AKIA", MAIN)
    entry = aws_issues.access_key(estate, chance, people.operator(estate, time), user, own, time)
    done = deployments.deploy(estate, workload, chance.fork("run"), 1, time + 2 * MINUTE)
    caller = aws.by_user(user, own, done.runner, aws.RUNNER_CLI)
    times = chance.spread(done.began + 30 * SECOND, done.ended - 30 * SECOND, 4)
    aws.work(estate, chance, caller, deployments.BUILD, times)
    estate.book.link(times[0], "access_key", entry.key, entry.key)
    estate.book.change(entry.key, run=done.flow.key, origins=(done.runner,))
    estate.book.expect(entry.key, Question.LIFETIME, *WRONG)
    text = f"{done.flow.key} works for minutes with a key of {user.name} that never expires"
    planting.enter(LONG, entry.key, text, ("lifetime", "outlives-run"), Severity.MEDIUM, (done.flow.key,))


def _in_an_invocation(planting: Planting, workload: Workload, time: int) -> None:
    """A function works with a user's access key instead of its own session, and its span names the call."""
    estate, chance = planting.estate, planting.chance(LONG).fork("invocation")
    user, own = estate.world.users["batch-report"], access_key(chance, "AKIA", MAIN)
    entry = aws_issues.access_key(estate, chance, people.operator(estate, time), user, own, time)
    caller = aws.by_user(user, own, MAIN_NAT, aws.BOTO)
    key = functions.invoke(estate, workload, chance, caller, time + 5 * MINUTE, told=True)
    estate.book.link(time + 6 * MINUTE, "access_key", entry.key, entry.key)
    estate.book.change(entry.key, run=key, run_visible="client", origins=(MAIN_NAT,))
    text = f"{key} works for seconds with a key of {user.name} that never expires"
    planting.enter(LONG, entry.key, text, ("outlives-run",), Severity.MEDIUM, (key,))


def _short(planting: Planting) -> None:
    planting.estate.at(planting.part(1, 4), partial(_short_token, planting, planting.workload(SHORT, "pod", 31)))


def _short_token(planting: Planting, workload: Workload, time: int) -> None:
    """Ten minutes are the least that Kubernetes gives; its audit log usually arrives after a quarter of an hour."""
    estate, chance = planting.estate, planting.chance(SHORT)
    pod = cluster.new_pod(estate, chance, workload.namespace, workload.name)
    cluster.start_pod(estate, chance, time, pod)
    gone = kubernetes.pod_deleted(estate, chance, time + 9 * MINUTE, pod, 2 * SECOND)
    estate.book.runs[pod.key] = msgspec.structs.replace(estate.book.runs[pod.key], ended=gone)
    token = f"JTI={chance.uuid()}"
    key = cluster.give_token(estate, chance, time + 2 * SECOND, pod, token, cluster.API, 600, gone)
    for moment in chance.spread(time + 3 * SECOND, time + 8 * MINUTE, 4):
        who = kubernetes.holder(pod, token)
        kubernetes.say(estate, chance, moment, who, "get", "configmaps", pod.namespace, "settings", 200)
    text = "a token of ten minutes, used where the log takes a quarter of an hour to arrive"
    planting.enter(SHORT, pod.account_key, text, ("shorter-than-delivery",), Severity.LOW, (key,))


def _unseen(planting: Planting) -> None:
    """One pod of a cluster whose audit log nobody collects, and one of whose credentials nothing is recorded."""
    estate, chance, start = planting.estate, planting.chance(UNSEEN), planting.part(1, 3)
    run = Run(
        key=f"k8s_pod:k8s:{chance.uuid()}",
        kind="pod",
        workload="k8s_service_account:-:shadow/shadow",
        started=start,
        ended=start + 30 * MINUTE,
    )
    estate.book.run(run)
    planting.enter(UNSEEN, run.key, "a pod that no log tells of")
    workload = planting.workload(UNSEEN, "pod", 41)
    for turn in (0, 1):
        estate.at(planting.part(1 + turn, 8), partial(_like_others, planting, workload))
    estate.at(start, partial(_silent_pod, planting, workload))


def _like_others(planting: Planting, workload: Workload, time: int) -> None:
    pods.serve(planting.estate, workload, planting.chance(UNSEEN).fork(time), time)


def _silent_pod(planting: Planting, workload: Workload, time: int) -> None:
    """The cluster started and ended it; no token, no login, no call of it was recorded."""
    estate, chance = planting.estate, planting.chance(UNSEEN).fork("silent")
    pod = cluster.new_pod(estate, chance, workload.namespace, workload.name)
    cluster.start_pod(estate, chance, time, pod)
    gone = kubernetes.pod_deleted(estate, chance, time + 20 * MINUTE, pod, 2 * SECOND)
    estate.book.runs[pod.key] = msgspec.structs.replace(estate.book.runs[pod.key], ended=gone)
    text = "a pod like others, of whose credentials nothing was recorded"
    planting.enter(UNSEEN, pod.account_key, text, ("runs-without-telemetry",), Severity.LOW, (pod.key,))


FAULTS = (
    Fault(REISSUE, "an instance that was terminated gets a new key", _reissue),
    Fault(OUTLIVES, "a job's key is used after its run ended", _outlives),
    Fault(LONG, "a job of minutes works with a key that never expires", _long),
    Fault(SHORT, "a key that is over before its records are delivered", _short),
    Fault(UNSEEN, "a run of which no log tells, and one of which only its orchestrator does", _unseen),
)
