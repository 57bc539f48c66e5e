"""How times are written beside the steps of one chain: no longer than they have to be, and no shorter."""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

import msgspec

from custody.reports.safe import shortened
from custody.reports.words import moment

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
"""RFC 3339 within a sentence."""


class Clock(msgspec.Struct, frozen=True):
    """The clock alone where all steps are of one day, with the date otherwise.

    ``shared`` are the seconds into which several times fall: those are written with milliseconds, where the log has
    any, because their order matters. ``columns`` is the width of the longest, with the gap after it.
    """

    day: str | None
    years: frozenset[int]
    shared: frozenset[str]
    columns: int

    def show(self, text: str) -> str:
        """The time of a step; what is no time is shortened."""
        found = moment(text)
        return shortened(text or "?", self.columns - 2) if found is None else self._written(found)

    def within(self, sentence: str) -> str:
        """``sentence`` with every time in it written as the steps' times are."""
        return TIME.sub(lambda found: self._replaced(found[0]), sentence)

    def _replaced(self, text: str) -> str:
        found = moment(text)
        return text if found is None else self._written(found)

    def _written(self, found: datetime) -> str:
        fine = f".{found.microsecond // 1000:03}" if found.microsecond and _second(found) in self.shared else ""
        if self.day == f"{found:%Y-%m-%d}":
            return f"{found:%H:%M:%S}{fine}"
        date = f"{found:%m-%d}" if self.years == {found.year} else f"{found:%Y-%m-%d}"
        return f"{date} {found:%H:%M:%S}{fine}"


def clock(times: Iterable[str]) -> Clock:
    """The clock for the times (RFC 3339) of the steps that are shown; those that are no times do not count."""
    found = {time for text in times if (time := moment(text))}
    days = {f"{time:%Y-%m-%d}" for time in found}
    seconds = Counter(map(_second, found))
    shared = frozenset(second for second, count in seconds.items() if count > 1)
    bare = Clock(days.pop() if len(days) == 1 else None, frozenset(time.year for time in found), shared, 0)
    widest = max((len(bare.show(time.isoformat())) for time in found), default=8)
    return msgspec.structs.replace(bare, columns=max(widest, 8) + 2)


def _second(found: datetime) -> str:
    return f"{found:%Y-%m-%d %H:%M:%S}"
