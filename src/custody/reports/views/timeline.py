"""One chain as a swim-lane drawing: a lane for the issuer, the run and each origin; from issue over uses to the end."""

from collections import defaultdict
from datetime import datetime
from itertools import pairwise

import msgspec

from custody.model.report import Chain, Step
from custody.reports.safe import shortened
from custody.reports.views.scale import Scale, scale
from custody.reports.words import counted, moment, short_key, stamp

LEFT = 196
RIGHT = 24
WIDTH = 1000
TOP = 30
LANE = 40
FOOT = 12
ORIGIN_LANES = 6
NAME = 21
NEAR = 9
LABEL_GAP = 82


class Mark(msgspec.Struct, frozen=True):
    """One or more steps at one place. ``kind`` names the shape; ``cited`` says that a violation cites the use."""

    kind: str
    x: int
    y: int
    title: str
    count: int = 1
    cited: bool = False


class Lane(msgspec.Struct, frozen=True):
    """A named row. ``y`` is its middle, ``role`` says what it is."""

    name: str
    full: str
    role: str
    y: int


class Link(msgspec.Struct, frozen=True):
    """A line between two marks; ``grade`` decides how it is drawn."""

    path: str
    grade: str


class Tick(msgspec.Struct, frozen=True):
    """A time written over the lanes, at which side of its line, and its line."""

    x: int
    label: str
    anchor: str


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """The whole drawing, in units of its view box.

    ``life`` is the band from issue to expiry, as x and width; ``end`` is the x of the credential's first end.
    """

    width: int
    height: int
    lanes: tuple[Lane, ...]
    marks: tuple[Mark, ...]
    links: tuple[Link, ...]
    ticks: tuple[Tick, ...]
    life: tuple[int, int] | None
    life_ends: bool
    end: int | None
    says: str


class Placed(msgspec.Struct, frozen=True):
    """A step whose time could be read, and its lane."""

    step: Step
    time: datetime
    lane: int


def timeline(chain: Chain) -> Timeline | None:
    """The drawing of a chain; None where no step has a readable time."""
    timed = [(step, time) for step in chain.stages if (time := moment(step.time))]
    if not timed:
        return None
    lanes, places = _lanes(chain)
    placed = [Placed(step, time, places[_lane_of(step)]) for step, time in timed if _lane_of(step) in places]
    expiry = moment(chain.not_after)
    issued = next((each.time for each in placed if each.step.stage == "issue"), None)
    line = scale([each.time for each in placed] + ([expiry] if expiry and issued else []))
    cited = {leaf.index for answer in chain.verdicts if answer.state == "violated" for leaf in answer.leaves}
    marks = _marks(placed, lanes, line, cited)
    life = _life(issued, expiry, line)
    return Timeline(
        width=WIDTH,
        height=TOP + LANE * len(lanes) + FOOT,
        lanes=lanes,
        marks=(*_parent_mark(chain, lanes, issued, line), *marks),
        links=_links(chain, placed, lanes, line, issued),
        ticks=_ticks(placed, expiry if issued else None, line),
        life=life,
        life_ends=expiry is not None,
        end=next((_x(each.time, line) for each in placed if _kind(each.step) == "end"), None),
        says=_says(chain, len(lanes)),
    )


def _lane_of(step: Step) -> str:
    if step.stage == "use":
        return f"origin {step.origin or 'unknown'}"
    return "run" if step.rule == "run_end" or step.stage == "start" else "issuer"


def _lanes(chain: Chain) -> tuple[tuple[Lane, ...], dict[str, int]]:
    """The lanes from top to bottom, and the lane of each kind of step; rare origins share the last one."""
    rows: list[tuple[str, str, list[str]]] = []
    if chain.parent is not None:
        rows.append((short_key(chain.parent.key), "parent key", []))
    stages = {_lane_of(step): None for step in chain.stages}
    if "issuer" in stages:
        rows.append((_issuer(chain), "issuer", ["issuer"]))
    if "run" in stages:
        rows.append((short_key(chain.workload or "run"), "run", ["run"]))
    origins = [name for name in stages if name.startswith("origin ")]
    shown = origins if len(origins) <= ORIGIN_LANES else origins[: ORIGIN_LANES - 1]
    rows += [(name.removeprefix("origin "), "origin of use", [name]) for name in shown]
    if rest := origins[len(shown) :]:
        rows.append((counted(len(rest), "more origin"), "origins of use", rest))
    lanes = tuple(
        Lane(shortened(name, NAME), name, role, TOP + LANE * at + LANE // 2) for at, (name, role, _) in enumerate(rows)
    )
    return lanes, {name: at for at, (_, _, names) in enumerate(rows) for name in names}


def _issuer(chain: Chain) -> str:
    issue = next((step.text for step in chain.stages if step.stage == "issue"), "")
    _, by, rest = issue.partition(" by ")
    return rest.partition(", until ")[0] if by else "issuer"


def _x(time: datetime, line: Scale) -> int:
    return LEFT + 22 + round(line.at(time) * (WIDTH - LEFT - RIGHT - 66))


def _kind(step: Step) -> str:
    if step.stage == "use":
        return "use" if step.outcome == "success" else "denied"
    if step.stage in ("issue", "start"):
        return step.stage
    return "run-end" if _lane_of(step) == "run" else "end"


def _marks(placed: list[Placed], lanes: tuple[Lane, ...], line: Scale, cited: set[int]) -> list[Mark]:
    """One mark a place and kind: what would lie on top of each other is counted."""
    found: list[Mark] = []
    last: dict[tuple[int, str], int] = {}
    for each in placed:
        x, kind = _x(each.time, line), _kind(each.step)
        hot = kind in ("use", "denied") and each.step.leaf.index in cited
        before = last.get((each.lane, kind))
        if before is not None and x - found[before].x < NEAR:
            mark = found[before]
            found[before] = msgspec.structs.replace(mark, count=mark.count + each.step.count, cited=mark.cited or hot)
            continue
        last[each.lane, kind] = len(found)
        title = f"{stamp(each.step.time)}: {each.step.text} ({each.step.join}, {each.step.asserter})"
        found.append(Mark(kind, x, lanes[each.lane].y, title, each.step.count, hot))
    return found


def _parent_mark(chain: Chain, lanes: tuple[Lane, ...], issued: datetime | None, line: Scale) -> tuple[Mark, ...]:
    if chain.parent is None or issued is None:
        return ()
    return (Mark("parent", _x(issued, line), lanes[0].y, f"parent key {short_key(chain.parent.key)}"),)


def _links(
    chain: Chain, placed: list[Placed], lanes: tuple[Lane, ...], line: Scale, issued: datetime | None
) -> tuple[Link, ...]:
    """From parent to issue, from issue to the first use of each lane, and along each lane of uses."""
    found: list[Link] = []
    issue = next((each for each in placed if each.step.stage == "issue"), None)
    if chain.parent is not None and issue is not None and issued is not None:
        x = _x(issued, line)
        found.append(Link(f"M{x} {lanes[0].y}V{lanes[issue.lane].y}", _grade(chain.parent.join)))
    uses: dict[int, list[Placed]] = defaultdict(list)
    for each in placed:
        if each.step.stage == "use":
            uses[each.lane].append(each)
    for lane, some in sorted(uses.items()):
        first, y = _x(some[0].time, line), lanes[lane].y
        if issue is not None:
            start, top = _x(issue.time, line), lanes[issue.lane].y
            bend = max((first - start) // 2, 8)
            curve = f"M{start} {top}C{start + bend} {top} {first - bend} {y} {first} {y}"
            found.append(Link(curve, _grade(some[0].step.join)))
        found += _along(some, y, line)
    return tuple(found)


def _along(some: list[Placed], y: int, line: Scale) -> list[Link]:
    """The line through the uses of one lane, in as few pieces as their grades allow."""
    pieces: list[tuple[int, int, str]] = []
    for before, after in pairwise(some):
        start, end, grade = _x(before.time, line), _x(after.time, line), _grade(after.step.join)
        if pieces and pieces[-1][2] == grade:
            pieces[-1] = (pieces[-1][0], end, grade)
        else:
            pieces.append((start, end, grade))
    return [Link(f"M{start} {y}H{end}", grade) for start, end, grade in pieces if end > start]


def _grade(join: str) -> str:
    return join if join in ("bounded", "inferred") else "exact"


def _life(issued: datetime | None, expiry: datetime | None, line: Scale) -> tuple[int, int] | None:
    if issued is None:
        return None
    start = _x(issued, line)
    end = _x(expiry, line) if expiry else WIDTH - RIGHT
    return (start, max(end - start, 2))


def _ticks(placed: list[Placed], expiry: datetime | None, line: Scale) -> tuple[Tick, ...]:
    """Times of issue, ends, expiry, first and last step, in this order of worth; none over another."""
    wanted = [each.time for kind in ("issue", "end", "run-end") for each in placed if _kind(each.step) == kind]
    wanted += ([expiry] if expiry else []) + [placed[0].time, placed[-1].time]
    wanted += [each.time for each in placed if each.step.stage == "use"][:1]
    days = {time.date() for time in wanted}
    gap = LABEL_GAP if len(days) == 1 else LABEL_GAP + 30
    taken: list[Tick] = []
    for time in wanted:
        x = _x(time, line)
        if all(abs(tick.x - x) >= gap for tick in taken):
            label = f"{time:%H:%M:%S}" if len(days) == 1 else f"{time:%m-%d %H:%M:%S}"
            taken.append(Tick(x, label, "middle"))
    return tuple(sorted(taken, key=lambda tick: tick.x))


def _says(chain: Chain, lanes: int) -> str:
    """What the drawing shows, for those who do not see it."""
    issued = f"issued {stamp(chain.issued_at)}" if chain.issued_at else "no issuance recorded"
    until = f", valid until {stamp(chain.not_after)}" if chain.not_after else ""
    uses = f"{counted(chain.uses, 'use')} from {counted(len(chain.origins), 'origin')}"
    return f"{counted(lanes, 'lane')}: {issued}{until}; {uses}. The table of steps below says the same in words."
