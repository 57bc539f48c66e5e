"""Every life of the estate, begun."""

from collections.abc import Callable

from custody.simulation.estate import Estate
from custody.simulation.lives import (
    agents,
    brokered,
    cluster,
    deployments,
    functions,
    instances,
    mesh,
    people,
    pod_identities,
    pods,
    providers,
)
from custody.simulation.world import Workload

BEGINNINGS: dict[str, Callable[[Estate, Workload], None]] = {
    "deploy": deployments.begin,
    "instance": instances.begin_workload,
    "pod": pods.begin,
    "pod-identity": pod_identities.begin,
    "function": functions.begin,
    "agent": agents.begin,
    "mesh": mesh.begin,
}


def begin(estate: Estate) -> None:
    """What is always there, and each workload by its kind."""
    for always in (providers, people, instances, cluster, brokered):
        always.begin(estate)
    for workload in estate.world.workloads:
        if workload.kind in BEGINNINGS:
            BEGINNINGS[workload.kind](estate, workload)
