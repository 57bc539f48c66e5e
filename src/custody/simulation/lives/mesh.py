"""Services in the mesh: a pod, its certificate of an hour, renewed at half of it, and calls through the proxy."""

from functools import partial

import msgspec

from custody.simulation.chance import Chance
from custody.simulation.estate import Estate
from custody.simulation.lives import cluster
from custody.simulation.systems import kubernetes, mesh
from custody.simulation.systems.kubernetes import Pod
from custody.simulation.systems.mesh import Certificate
from custody.simulation.times import MINUTE, SECOND
from custody.simulation.truth import Credential
from custody.simulation.world import NAMES, Workload

LIFE = 3600
HALF = 30 * MINUTE


def begin(estate: Estate, workload: Workload) -> None:
    """One pod after the other."""
    chance = estate.chance.fork("mesh", workload.name)
    estate.at(estate.since + chance.seconds(240, 900), partial(_turn, estate, workload, chance, 0))


def _turn(estate: Estate, workload: Workload, chance: Chance, number: int, time: int) -> None:
    own = chance.fork(number)
    pod = cluster.new_pod(estate, own, workload.namespace, workload.name)
    end = time + own.seconds(80 * 60, 170 * 60)
    cluster.start_pod(estate, own, time, pod)
    gone = kubernetes.pod_deleted(estate, own, end, pod, 3 * SECOND)
    estate.book.runs[pod.key] = msgspec.structs.replace(estate.book.runs[pod.key], ended=gone)
    start = time + 5 * SECOND
    while start < end - MINUTE:
        _certificate(estate, workload, own, pod, start, min(start + HALF, end - SECOND))
        start += HALF
    estate.at(end + chance.seconds(5, 40), partial(_turn, estate, workload, chance, number + 1))


def _certificate(estate: Estate, workload: Workload, chance: Chance, pod: Pod, time: int, until: int) -> None:
    """One certificate and the calls that are made with it until the next."""
    whole = time - time % SECOND
    certificate = Certificate(
        spiffe=f"/ns/{pod.namespace}/sa/{pod.account}",
        serial=int.from_bytes(chance.bytes(15)) | 1 << 119,
        entry=Chance("entry", workload.name).uuid(),
        agent=Chance("agent", pod.node.id).uuid(),
        not_before=whole - 10 * SECOND,
        not_after=whole + LIFE * SECOND,
    )
    mesh.issued(estate, chance, time, certificate, pod.node.private)
    to = NAMES[(workload.number + 3) % len(NAMES)]
    times = chance.spread(time + SECOND, until, max(1, (until - time) // (75 * SECOND)))
    for moment in times:
        mesh.called(estate, chance, moment, certificate, pod.address, to, f"/v1/{to}")
    estate.book.credential(
        Credential(
            key=certificate.key,
            kind="certificate",
            population="machine",
            aliases=(certificate.alias,),
            issued_at=whole,
            not_after=certificate.not_after,
            run=pod.key,
            run_visible="candidates",
            origins=(pod.address,),
            subject=f"spiffe:example.org:{certificate.spiffe}",
        )
    )
    estate.book.link(times[0], "certificate", certificate.key, certificate.key)
