"""The journal in which the stories are written down: records in any order, and what is true of their keys."""

import datetime as dt

import msgspec

from custody.model.verdicts import Population
from tests.sample_estate.cloudtrail import Call, Caller, Fields, record
from tests.sample_estate.estate import Estate
from tests.sample_estate.inventor import Inventor
from tests.sample_estate.truth import Story

DAY = int(dt.datetime(2026, 3, 2, tzinfo=dt.UTC).timestamp())
OLDER = "older than the logs"
CONSOLE = "console"
FORWARD = "forward access session"
UNEXPLAINED = "unexplained"


class Entry(msgspec.Struct, frozen=True):
    """A record and where CloudTrail delivers it."""

    time: int
    account: str
    region: str
    record: Fields


class Journal:
    """Takes down what happens. Stories call ``say`` for a record, and tell what they know of a key's origin."""

    def __init__(self, estate: Estate, inventor: Inventor) -> None:
        self.estate = estate
        self.invent = inventor
        self.entries: list[Entry] = []
        self.issued: dict[str, Population] = {}
        self.unissued: dict[str, tuple[Population, str]] = {}
        self.used: set[str] = set()
        self.forward: set[str] = set()
        self.tokens: list[str] = []
        self.stories: list[Story] = []

    def say(self, caller: Caller, time: int, call: Call, region: str, *, request_id: str | None = None) -> None:
        """Write one record down; the key that it presents is used from now on."""
        made = record(caller, call, time, region, self.invent.uuid(), request_id or self.invent.uuid())
        self.entries.append(Entry(time, caller.account, region, made))
        if caller.key is not None:
            self.used.add(caller.key)
        if caller.key is not None and caller.forwarded:
            self.forward.add(caller.key)

    def work(self, caller: Caller, times: list[int], calls: tuple[Call, ...], region: str) -> None:
        """One call after the other, one at each of ``times``, beginning again when they are through."""
        for turn, time in enumerate(times):
            self.say(caller, time, calls[turn % len(calls)], region)

    def spread(self, start: int, end: int, count: int) -> list[int]:
        """``count`` times between two, in order, a little uneven; none at the very ends."""
        step = (end - start) // (count + 1)
        return [start + step * (turn + 1) + self.invent.between(-step // 3, step // 3) for turn in range(count)]

    def population(self, key: str) -> Population:
        """Whose key it is, as the stories told it; raises KeyError for a key that none told of."""
        return self.issued[key] if key in self.issued else self.unissued[key][0]

    def older_key(self, prefix: str, account: str, population: Population, why: str = OLDER) -> str:
        """A key that the logs never show being issued, and the class in which that puts it."""
        key = self.invent.key(prefix, account)
        self.unissued[key] = (population, why)
        return key


def at(clock: str) -> int:
    """The second of the sample's day at ``HH:MM:SS``."""
    hour, minute, second = (int(part) for part in clock.split(":"))
    return DAY + hour * 3600 + minute * 60 + second
