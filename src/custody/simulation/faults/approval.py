"""Deployments without a proper approval: none at all, one after the use, one by the person who asked."""

from functools import partial

from custody.model.verdicts import Severity
from custody.simulation.fault import Fault, Planting
from custody.simulation.lives import deployments
from custody.simulation.lives.deployments import Approved, Manner
from custody.simulation.world import Workload

TEXTS = {
    Approved.NEVER: "a deployment that nobody approved",
    Approved.LATE: "a deployment that was approved ten minutes after it had ended",
    Approved.SELF: "a deployment that was approved by the person who asked for it",
}


def _plant(name: str, how: Approved, severity: Severity, planting: Planting) -> None:
    """One at GitHub's reviewers, one at the change desk."""
    for number in (0, 1):
        workload = planting.workload(name, "deploy", number)
        planting.estate.at(planting.part(2 + number, 6), partial(_deploy, planting, name, how, severity, workload))


def _deploy(planting: Planting, name: str, how: Approved, severity: Severity, workload: Workload, time: int) -> None:
    chance = planting.chance(name).fork(workload.number)
    done = deployments.deploy(planting.estate, workload, chance, 1, time, Manner(approved=how))
    planting.enter(name, done.first, TEXTS[how], ("approved",), severity, (done.second, done.flow.key))


def _fault(name: str, how: Approved, severity: Severity) -> Fault:
    return Fault(name, TEXTS[how], partial(_plant, name, how, severity))


FAULTS = (
    _fault("no-approval", Approved.NEVER, Severity.MEDIUM),
    _fault("late-approval", Approved.LATE, Severity.MEDIUM),
    _fault("self-approval", Approved.SELF, Severity.MEDIUM),
)
