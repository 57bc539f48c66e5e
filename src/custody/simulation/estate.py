"""The estate at work: a queue of what happens next, one moment after the other, so that memory stays flat.

A life is a function that runs at its moment, says the records of what it does until its next moment, and plans that.
"""

import heapq
from collections.abc import Callable, Iterator
from itertools import count

import msgspec

from custody.simulation.book import Book
from custody.simulation.chance import Chance
from custody.simulation.entry import Entry
from custody.simulation.times import HOUR, START
from custody.simulation.world import Workload, World, build

Life = Callable[[int], None]
"""What happens at a moment, which it is told (µs)."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for."""

    seed: int
    hours: int
    workloads: int
    faults: tuple[str, ...] = ()


class Estate:
    """Everything that lives share: the world, the book, the clocks, and the queue."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.since = START
        self.until = START + plan.hours * HOUR
        self.chance = Chance("estate", plan.seed)
        self.world: World = build(self.chance.fork("world"), plan.workloads)
        self.planted: list[Workload] = []
        self.book = Book()
        self.ahead: dict[str, int] = {}
        self.last: dict[str, tuple[int, str]] = {}
        """Number and digest of the last line, of logs whose lines are numbered and name the one before."""
        self.kept: list[Callable[[Entry], bool]] = []
        self._queue: list[tuple[int, int, Life | Entry]] = []
        self._order = count()

    def at(self, time: int, life: Life) -> None:
        """Let something happen; what would happen after the end does not."""
        if time <= self.until:
            heapq.heappush(self._queue, (time, next(self._order), life))

    def say(self, entry: Entry) -> None:
        """Hand a record over; it is written at its time."""
        heapq.heappush(self._queue, (entry.time, next(self._order), entry))

    def clock(self, source: str, time: int) -> int:
        """The time as the clock of a source has it."""
        return time + self.ahead.get(source, 0)

    def entries(self) -> Iterator[Entry]:
        """Every record that reaches a file, in order of time."""
        while self._queue:
            time, _, thing = heapq.heappop(self._queue)
            if not isinstance(thing, Entry):
                thing(time)
            elif self._happens(thing):
                self.book.happened(thing)
                if all(keeps(thing) for keeps in self.kept):
                    self.book.written(thing)
                    yield thing

    def _happens(self, entry: Entry) -> bool:
        moment = entry.time if entry.belongs is None else entry.belongs
        return moment <= self.until
