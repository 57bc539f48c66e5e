"""What a swim-lane drawing is made of, in units of its view box."""

import msgspec

LEFT = 196
RIGHT = 24
WIDTH = 1000
TOP = 30
LANE = 40
FOOT = 12
NAME = 21
ROLE = 32


class Mark(msgspec.Struct, frozen=True):
    """One or more steps at one place. ``kind`` names the shape; ``cited`` says that a violation cites the use."""

    kind: str
    x: int
    y: int
    title: str
    count: int = 1
    cited: bool = False


class Lane(msgspec.Struct, frozen=True):
    """A named row. ``y`` is its middle, ``role`` says what it is, ``system`` whose it is where that is known."""

    name: str
    full: str
    role: str
    y: int
    system: str = ""


class Link(msgspec.Struct, frozen=True):
    """A line between two marks; ``grade`` decides how it is drawn."""

    path: str
    grade: str


class Bar(msgspec.Struct, frozen=True):
    """A stretch of a lane: a session or a run (``kind``), or a band in which a clock leaves the order unsure."""

    kind: str
    x: int
    y: int
    width: int
    title: str


class Tick(msgspec.Struct, frozen=True):
    """A time written over the lanes, at which side of its line, and its line."""

    x: int
    label: str
    anchor: str


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """The whole drawing.

    ``life`` is the band from issue to expiry, as x and width; ``end`` is the x of the credential's first end.
    ``unsure`` are the bands that the clocks of two systems leave.
    """

    width: int
    height: int
    lanes: tuple[Lane, ...]
    marks: tuple[Mark, ...]
    links: tuple[Link, ...]
    bars: tuple[Bar, ...]
    unsure: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    life: tuple[int, int] | None
    life_ends: bool
    end: int | None
    says: str
