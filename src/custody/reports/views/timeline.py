"""One chain as a swim-lane drawing: a lane a system, run and origin, from its parents over its uses to its end."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import msgspec

from custody.model.report import Chain, ClockRef, Step
from custody.reports.steps import sort
from custody.reports.views.drawing import FOOT, LANE, LEFT, RIGHT, TOP, WIDTH, Bar, Lane, Mark, Tick, Timeline
from custody.reports.views.lanes import Lanes, lanes
from custody.reports.views.links import links
from custody.reports.views.placed import Placed, aside, x_of
from custody.reports.views.scale import Scale, scale
from custody.reports.views.skew import unsure
from custody.reports.words import counted, moment, short_key, stamp

NEAR = 9
LABEL_GAP = 82
THIN = 4


def timeline(chain: Chain, clocks: Sequence[ClockRef] = ()) -> Timeline | None:
    """The drawing of a chain; None where no step has a readable time. ``clocks`` are how far systems are apart."""
    rows = lanes(chain)
    timed = [(step, time, rows.of(step, chain)) for step in chain.stages if (time := moment(step.time))]
    if not timed:
        return None
    expiry = moment(chain.not_after)
    issued = next((time for step, time, _ in timed if step.stage == "issue"), None)
    line = scale([time for _, time, _ in timed] + ([expiry] if expiry and issued else []))
    placed = [
        Placed(step, time, lane, x_of(time, line), rows.lanes[lane].y) for step, time, lane in timed if lane is not None
    ]
    cited = {leaf.index for answer in chain.verdicts if answer.state == "violated" for leaf in answer.leaves}
    return Timeline(
        width=WIDTH,
        height=TOP + LANE * len(rows.lanes) + FOOT,
        lanes=rows.lanes,
        marks=(*_parents(chain, rows, placed), *_marks(placed, cited)),
        links=links(chain, placed, rows),
        bars=(*_bars(placed, "session"), *_bars(placed, "run")),
        unsure=unsure(placed, rows.lanes, line, clocks),
        ticks=_ticks(placed, expiry if issued else None, line),
        life=_life(issued, expiry, line),
        life_ends=expiry is not None,
        end=next((each.x for each in placed if _kind(each.step) == "end"), None),
        says=_says(chain, rows.lanes),
    )


def _kind(step: Step) -> str:
    """The shape of a step; a session is a bar and has none of its own."""
    kept = sort(step)
    match kept:
        case "use":
            return "use" if step.outcome == "success" else "denied"
        case "run":
            return "run-end" if step.stage == "end" else "start"
        case "issue" | "start" | "told" | "session" | "approve" | "request" | "refresh" | "change":
            return kept
    return "end"


def _marks(placed: list[Placed], cited: set[int]) -> list[Mark]:
    """One mark a place and kind: what would lie on top of each other is counted."""
    found: list[Mark] = []
    last: dict[tuple[int, str], int] = {}
    for each in placed:
        kind = _kind(each.step)
        if kind == "session":
            continue
        hot = kind in ("use", "denied") and each.step.leaf.index in cited
        before = last.get((each.lane, kind))
        if before is not None and each.x - found[before].x < NEAR:
            mark = found[before]
            found[before] = msgspec.structs.replace(mark, count=mark.count + each.step.count, cited=mark.cited or hot)
            continue
        last[each.lane, kind] = len(found)
        title = f"{stamp(each.step.time)}: {each.step.text} ({each.step.join}, {each.step.asserter})"
        found.append(Mark(kind, each.x, each.y, title, each.step.count, hot))
    return found


def _parents(chain: Chain, rows: Lanes, placed: list[Placed]) -> list[Mark]:
    """A mark for the parent and each candidate, at the time of the issue that they may have asked for."""
    issue = next((each for each in placed if each.step.stage == "issue"), None)
    if issue is None:
        return []
    related = [("parent", 0, chain.parent)] if chain.parent else []
    related += [("candidate", at, other) for at, other in enumerate(chain.candidates, 1)]
    found: list[Mark] = []
    for lane, (kind, at, other) in zip(rows.parents, related, strict=False):
        title = f"{rows.lanes[lane].role} {short_key(other.key)} ({other.grade})"
        found.append(Mark(kind, aside(issue.x, at), rows.lanes[lane].y, title))
    return found


def _bars(placed: list[Placed], kind: str) -> list[Bar]:
    """A bar from each opening to its closing, or to the last step where none was seen."""
    found: list[Bar] = []
    opened: dict[str, Placed] = {}
    edge = max((each.x for each in placed), default=LEFT)
    for each in placed:
        if sort(each.step) != kind:
            continue
        name = each.step.text.partition(": ")[2]
        if each.step.stage == "start":
            opened[name] = each
        elif (start := opened.pop(name, None)) is not None:
            found.append(_bar(kind, start, each.x, f"{name}, to {stamp(each.step.time)}"))
    return found + [_bar(kind, start, edge, f"{name}, no end seen") for name, start in opened.items()]


def _bar(kind: str, start: Placed, end: int, what: str) -> Bar:
    width = max(end - start.x, THIN)
    return Bar(kind, start.x, start.y, width, f"{kind} {what}, from {stamp(start.step.time)}")


def _life(issued: datetime | None, expiry: datetime | None, line: Scale) -> tuple[int, int] | None:
    if issued is None:
        return None
    start = x_of(issued, line)
    end = x_of(expiry, line) if expiry else WIDTH - RIGHT
    return (start, max(end - start, 2))


def _ticks(placed: list[Placed], expiry: datetime | None, line: Scale) -> tuple[Tick, ...]:
    """Times of issue, ends, expiry, first and last step, in this order of worth; none over another."""
    wanted = [each.time for kind in ("issue", "end", "run-end") for each in placed if _kind(each.step) == kind]
    wanted += ([expiry] if expiry else []) + [placed[0].time, placed[-1].time]
    wanted += [each.time for each in placed if each.step.stage == "use"][:1]
    days = {time.date() for time in wanted}
    seconds: dict[str, set[datetime]] = defaultdict(set)
    for each in placed:
        seconds[f"{each.time:%Y-%m-%d %H:%M:%S}"].add(each.time)
    gap = LABEL_GAP if len(days) == 1 else LABEL_GAP + 30
    taken: list[Tick] = []
    for time in wanted:
        x = x_of(time, line)
        if all(abs(tick.x - x) >= gap for tick in taken):
            fine = (
                f".{time.microsecond // 1000:03}"
                if time.microsecond and len(seconds[f"{time:%Y-%m-%d %H:%M:%S}"]) > 1
                else ""
            )
            label = f"{time:%H:%M:%S}{fine}" if len(days) == 1 else f"{time:%m-%d %H:%M:%S}"
            taken.append(Tick(x, label, "middle"))
    return tuple(sorted(taken, key=lambda tick: tick.x))


def _says(chain: Chain, rows: tuple[Lane, ...]) -> str:
    """What the drawing shows, for those who do not see it."""
    systems = ", ".join(dict.fromkeys(row.system for row in rows if row.system))
    issued = f"issued {stamp(chain.issued_at)}" if chain.issued_at else "no issuance recorded"
    until = f", valid until {stamp(chain.not_after)}" if chain.not_after else ""
    uses = f"{counted(chain.uses, 'use')} from {counted(len(chain.origins), 'origin')}"
    head = f"{counted(len(rows), 'lane')}{f' ({systems})' if systems else ''}"
    return f"{head}: {issued}{until}; {uses}. The table of steps below says the same in words."
