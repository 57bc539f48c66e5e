"""The timeline of an incident as a swim-lane drawing: two lanes a system, custody's own, and one a person.

What was done with the credentials stands apart from what made, changed or ended them: uses are many, and are counted.
It is drawn with the parts of the drawing of a chain (``reports.views.drawing``): the same shapes, scale and grades.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from custody.model.incident_view import IncidentView, LaneView, MomentView
from custody.reports.incident.threads import threads
from custody.reports.safe import shortened
from custody.reports.views.drawing import (
    FOOT,
    LANE,
    LEFT,
    NAME,
    RIGHT,
    TOP,
    WIDTH,
    Bar,
    Lane,
    Mark,
    Tick,
    Timeline,
)
from custody.reports.views.placed import x_of
from custody.reports.views.scale import Scale, scale
from custody.reports.words import counted, leaf_text, moment, stamp

LANES = 16
"""Lanes that are drawn; what is of others shares the last one."""
TIMES = 240
"""Times that the scale keeps apart; others stand between them."""
NEAR, USES_NEAR, LABEL_GAP, DATED_GAP = 14, 34, 82, 112
BAND = 3
SHAPES = {
    "secret": "secret", "made": "change", "exposed": "alarm", "issue": "issue", "start": "start", "run-end": "run-end",
    "session": "start", "session-end": "run-end", "request": "request", "decide": "request", "approve": "approve",
    "deny": "denied", "withdraw": "request", "refresh": "refresh", "change": "change", "end": "end", "told": "told",
    "finding": "alarm", "done": "done", "use": "use",
}  # fmt: skip


USES = ("denied", "use", "secret")
"""Shapes of uses. One mark of several has the last that is among them: denied only where all of them were."""
Row = tuple[str, str, str]
"""What a lane holds: whose, which, and ``uses`` or nothing."""
ROLES = {"system": "issues, changes, ends", "person": "person", "custody": "findings"}


class Placed(msgspec.Struct, frozen=True):
    """A line of the timeline whose time could be read, at its place."""

    moment: MomentView
    time: datetime
    lane: int
    x: int
    y: int


def drawing(view: IncidentView) -> Timeline | None:
    """The drawing; None where no line has a readable time."""
    lanes, rows = _lanes(view.timeline.lanes, {row_of(each) for each in view.timeline.moments})
    timed = [(each, time) for each in view.timeline.moments if (time := moment(each.corrected or each.at)) is not None]
    if not timed:
        return None
    line = scale(_times(timed))
    placed = [_placed(each, time, lanes, rows, line) for each, time in timed]
    return Timeline(
        width=WIDTH,
        height=TOP + LANE * len(rows) + FOOT,
        lanes=rows,
        marks=tuple(_marks(placed)),
        links=threads([(each.moment, each.x, each.y) for each in placed], view.actions),
        bars=(),
        unsure=tuple(_bands(placed, line)),
        ticks=_ticks(placed),
        life=None,
        life_ends=False,
        end=None,
        says=_says(view, rows),
    )


def row_of(each: MomentView) -> Row:
    """The lane that a line is drawn in."""
    return (each.party, each.lane, "uses" if each.party == "system" and shape(each) in USES else "")


def _lanes(found: Sequence[LaneView], held: set[Row]) -> tuple[dict[Row, int], tuple[Lane, ...]]:
    """The number of each lane that holds something, and the lanes from top to bottom."""
    every = [row for each in found for row in ((each.party, each.lane, ""), (each.party, each.lane, "uses"))]
    kept = [row for row in every if row in held]
    kept += sorted(held - set(kept))
    shown = kept if len(kept) <= LANES else kept[: LANES - 1]
    names = [(lane, uses or ROLES.get(party, party)) for party, lane, uses in shown]
    if rest := kept[len(shown) :]:
        names.append((counted(len(rest), "more lane"), ""))
    rows = tuple(
        Lane(shortened(name, NAME), name, role, TOP + LANE * at + LANE // 2) for at, (name, role) in enumerate(names)
    )
    return {row: min(at, len(rows) - 1) for at, row in enumerate(kept)}, rows


def _times(timed: Sequence[tuple[MomentView, datetime]]) -> list[datetime]:
    """The times that the scale is made of: what people did and what matters first, then some of the rest."""
    worth = sorted({time for each, time in timed if each.kind != "use"})
    rest = sorted({time for each, time in timed} - set(worth))
    ends = [min(time for _, time in timed), max(time for _, time in timed)]
    kept = _some(worth, TIMES - 2)
    return [*ends, *kept, *_some(rest, TIMES - 2 - len(kept))]


def _some(times: Sequence[datetime], most: int) -> list[datetime]:
    """At most ``most`` of them, evenly."""
    if len(times) <= most:
        return list(times)
    return [times[at * len(times) // most] for at in range(most)]


def _placed(each: MomentView, time: datetime, lanes: dict[Row, int], rows: Sequence[Lane], line: Scale) -> Placed:
    lane = lanes.get(row_of(each), len(rows) - 1)
    return Placed(each, time, lane, x_of(time, line), rows[lane].y)


def shape(each: MomentView) -> str:
    """The shape of a line: what failed is crossed, what was done without approval red, what does not count bare."""
    if each.outcome == "void":
        return "step"
    if each.kind in ("use", "secret") and each.outcome != "success":
        return "denied"
    if each.kind == "done" and each.outcome == "unapproved":
        return "undone"
    return SHAPES.get(each.kind, "step")


def _marks(placed: Iterable[Placed]) -> list[Mark]:
    """One mark a place and shape, one a place for uses of any shape: what would lie on top of each other is counted."""
    found: list[Mark] = []
    last: dict[tuple[int, str], int] = {}
    for each in placed:
        drawn = shape(each.moment)
        at, near = ((each.lane, "uses"), USES_NEAR) if drawn in USES else ((each.lane, drawn), NEAR)
        before = last.get(at)
        if before is not None and each.x - found[before].x < near:
            mark = found[before]
            kind = max(mark.kind, drawn, key=USES.index) if drawn in USES else mark.kind
            title = mark.title if mark.title.startswith("first ") else f"first of several: {mark.title}"
            found[before] = msgspec.structs.replace(mark, kind=kind, title=title, count=mark.count + each.moment.count)
            continue
        last[at] = len(found)
        title = f"{stamp(each.moment.at)}: {each.moment.text} ({each.moment.grade}, {leaf_text(each.moment.leaf)})"
        found.append(Mark(drawn, each.x, each.y, title, each.moment.count))
    return found


def _bands(placed: Iterable[Placed], line: Scale) -> list[Bar]:
    """A band around each place whose clock was corrected by measures that differ; merged where they touch."""
    found: list[Bar] = []
    for each in sorted(placed, key=lambda each: (each.y, each.x)):
        if not each.moment.unsure:
            continue
        wide = timedelta(seconds=min(each.moment.unsure, 86_400.0))
        start = max(min(_x(each.time, -wide, line), each.x - BAND), LEFT)
        end = min(max(_x(each.time, wide, line), each.x + BAND), WIDTH - RIGHT)
        last = found[-1] if found else None
        if last is not None and last.y == each.y and start <= last.x + last.width:
            found[-1] = msgspec.structs.replace(last, width=max(last.x + last.width, end) - last.x)
        else:
            title = f"clock of {each.moment.source} corrected, ±{each.moment.unsure:.3f} s"
            found.append(Bar("unsure", start, each.y, end - start, title))
    return found


def _x(time: datetime, shift: timedelta, line: Scale) -> int:
    try:
        return x_of(time + shift, line)
    except OverflowError:
        return x_of(time, line)


def _ticks(placed: Sequence[Placed]) -> tuple[Tick, ...]:
    """The times of the first and the last line, of what people did, and of others where there is room."""
    order = {"person": 0, "custody": 1, "system": 2}
    wanted = [placed[0], placed[-1], *sorted(placed, key=lambda each: order.get(each.moment.party, 3))]
    one_day = len({each.time.date() for each in placed}) == 1
    taken: list[Tick] = []
    for each in wanted:
        if all(abs(tick.x - each.x) >= (LABEL_GAP if one_day else DATED_GAP) for tick in taken):
            label = f"{each.time:%H:%M:%S}" if one_day else f"{each.time:%m-%d %H:%M:%S}"
            taken.append(Tick(each.x, label, "middle"))
    return tuple(sorted(taken, key=lambda tick: tick.x))


def _says(view: IncidentView, rows: Sequence[Lane]) -> str:
    """What the drawing shows, for those who do not see it."""
    done = sum(1 for each in view.actions if each.done)
    names = ", ".join(row.name for row in rows)
    acted = f"{counted(len(view.actions), 'action')}, {done} done"
    return (
        f"{counted(len(rows), 'lane')} ({names}): {counted(len(view.timeline.moments), 'line')}; {acted}. "
        "The table below says the same in words."
    )
