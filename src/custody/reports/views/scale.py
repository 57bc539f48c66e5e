"""From times to places on a line on which every event can be seen.

A credential lives for hours and is used within seconds. On a true scale all that matters would be one dot, so gaps are
compressed: a gap of t seconds takes a share of log(1 + t). The order is kept, equal times share a place, and whoever
draws it must say that the scale is not true.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise

import msgspec

STEADY = 4.0
"""Added to every gap but zero, so that neighbours a second apart can be told from each other."""


class Scale(msgspec.Struct, frozen=True):
    """Known times in order, and the place of each between 0 and 1."""

    times: tuple[datetime, ...]
    places: tuple[float, ...]

    def at(self, time: datetime) -> float:
        """The place of one of the known times; of any other, that of the known one before it, else of the first."""
        return self.places[max(bisect_right(self.times, time) - 1, 0)] if self.places else 0.0

    def near(self, time: datetime) -> float:
        """The place of any time: between two known ones by its share of the gap, outside of them at the end."""
        after = bisect_right(self.times, time)
        if after in (0, len(self.times)):
            return self.at(time)
        before, next_one = self.times[after - 1], self.times[after]
        start, end = self.places[after - 1], self.places[after]
        return start + (end - start) * ((time - before) / (next_one - before))


def scale(times: Iterable[datetime]) -> Scale:
    """A scale from the first of ``times`` at 0 to the last at 1; a single time stands in the middle."""
    ordered = sorted(set(times))
    if len(ordered) < 2:
        return Scale(tuple(ordered), (0.5,) * len(ordered))
    sums = [0.0]
    for before, after in pairwise(ordered):
        sums.append(sums[-1] + STEADY + math.log1p((after - before).total_seconds()))
    return Scale(tuple(ordered), tuple(value / sums[-1] for value in sums))
