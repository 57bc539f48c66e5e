"""What a fault is: a name, one sentence, and a small function that plants it and enters it in the book."""

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from custody.model.verdicts import Severity
from custody.simulation.chance import Chance
from custody.simulation.deliveries import Deliveries
from custody.simulation.estate import Estate
from custody.simulation.piece import Piece
from custody.simulation.times import SECOND
from custody.simulation.truth import Planted
from custody.simulation.world import Workload, roles_of

PLANTED = 10_000
"""Workloads of faults are numbered from here on; the last digits decide as those of others do."""


class Change(Protocol):
    """Something done to files that were delivered already."""

    def saw(self, piece: Piece) -> Piece:
        """Every piece comes by once, and goes on as it is or changed."""

    def after(self) -> Iterator[Piece]:
        """The pieces that replace others, at the end."""


class Planting:
    """Where a fault is planted: the estate before its day begins, and its deliveries.

    ``spared`` are the keys of which no record may be dropped: a fault must not hide another.
    """

    def __init__(self, estate: Estate, deliveries: Deliveries) -> None:
        self.estate = estate
        self.deliveries = deliveries
        self.changes: list[Change] = []
        self.spared: set[str] = set()

    def chance(self, fault: str) -> Chance:
        """A stream of the fault's own."""
        return self.estate.chance.fork("fault", fault)

    def part(self, share: int, of: int) -> int:
        """The moment at which so much of the day is over, in whole seconds."""
        estate = self.estate
        time = estate.since + (estate.until - estate.since) * share // of
        return time - time % SECOND

    def workload(self, fault: str, kind: str, number: int) -> Workload:
        """A workload that the fault brings along. Its number decides what the numbers of others decide."""
        made = Workload(PLANTED + number, kind, f"{fault.partition('-')[0]}-{kind.replace('-', '')}-{PLANTED + number}")
        self.estate.planted.append(made)
        self.estate.world.roles.update(roles_of(self.chance(fault), made))
        return made

    def enter(
        self,
        fault: str,
        subject: str,
        text: str,
        rules: tuple[str, ...] = (),
        severity: Severity | None = None,
        keys: tuple[str, ...] = (),
        *,
        required: bool = True,
    ) -> None:
        """Enter the fault in the book."""
        self.spared.update((subject, *keys))
        planted = Planted(
            fault=fault, subject=subject, text=text, rules=rules, severity=severity, keys=keys, required=required
        )
        if planted.subject not in {each.subject for each in self.estate.book.planted if each.fault == fault}:
            self.estate.book.planted.append(planted)


class Fault(msgspec.Struct, frozen=True):
    """One fault: its name in kebab case, what it is in one sentence, and how it is planted."""

    name: str
    text: str
    plant: Callable[[Planting], None]
