"""Where the clocks of two systems leave the order unsure: a band around each mark of the one that did not issue."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from custody.model.report import ClockRef
from custody.reports.kinds import system
from custody.reports.views.drawing import LEFT, RIGHT, WIDTH, Bar, Lane
from custody.reports.views.placed import Placed, x_of
from custody.reports.views.scale import Scale

HALF = 3
"""A band is drawn at least this far to both sides: it would not be seen else."""
MOST = 100_000_000
"""Seconds past which no clock is believed to be apart; more would leave the calendar."""


def unsure(placed: Sequence[Placed], lanes: Sequence[Lane], line: Scale, clocks: Sequence[ClockRef]) -> tuple[Bar, ...]:
    """The bands, merged where they touch. The clock of the issuer is the one that the others are held against."""
    issue = next((each for each in placed if each.step.stage == "issue"), None)
    if issue is None or not clocks:
        return ()
    own = lanes[issue.lane].system
    found: list[Bar] = []
    for each in placed:
        other = lanes[each.lane].system
        widest = _widest(own, other, clocks)
        if widest is not None:
            found.append(_band(each, widest, line, f"clocks of {own} and {other}: {widest:.3f} s apart at most"))
    return tuple(_merged(found))


def _widest(own: str, other: str, clocks: Sequence[ClockRef]) -> float | None:
    """How far the clocks of two systems were seen apart at most, in seconds; None of one system or where none says."""
    if not own or not other or own == other:
        return None
    pairs = [abs(each.widest) for each in clocks if {system(each.source), system(each.other)} == {own, other}]
    return min(max(pairs), MOST) if pairs else None


def _band(each: Placed, widest: float, line: Scale, title: str) -> Bar:
    wide = timedelta(seconds=widest)
    start = min(_x(each.time, -wide, line), each.x - HALF)
    end = max(_x(each.time, wide, line), each.x + HALF)
    start, end = max(start, LEFT), min(end, WIDTH - RIGHT)
    return Bar("unsure", start, each.y, end - start, title)


def _x(time: datetime, shift: timedelta, line: Scale) -> int:
    try:
        return x_of(time + shift, line)
    except OverflowError:
        return x_of(time, line)


def _merged(bands: list[Bar]) -> list[Bar]:
    found: list[Bar] = []
    for band in sorted(bands, key=lambda band: (band.y, band.x)):
        last = found[-1] if found else None
        if last is not None and last.y == band.y and band.x <= last.x + last.width:
            width = max(last.x + last.width, band.x + band.width) - last.x
            found[-1] = Bar(last.kind, last.x, last.y, width, last.title)
        else:
            found.append(band)
    return found
