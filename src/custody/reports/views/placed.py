"""Steps at their places in a drawing."""

from datetime import datetime

import msgspec

from custody.model.report import Step
from custody.reports.views.drawing import LEFT, RIGHT, WIDTH
from custody.reports.views.scale import Scale


class Placed(msgspec.Struct, frozen=True):
    """A step whose time could be read, the number of its lane, and where it stands."""

    step: Step
    time: datetime
    lane: int
    x: int
    y: int


ASIDE = 7


def aside(x: int, at: int) -> int:
    """Where the line of the candidate parent number ``at`` stands (from 1): none covers another or that of a parent."""
    return x - ASIDE * at


def x_of(time: datetime, line: Scale) -> int:
    """Where a time stands in the drawing."""
    return LEFT + 22 + round(line.near(time) * (WIDTH - LEFT - RIGHT - 66))
