"""``custody incident timeline``: every line with its own time, its lane, its grade, its leaf, and when it was known."""

from itertools import groupby

from custody.model.incident_view import IncidentView, LaneView, MomentView, ShiftView, TimelineView
from custody.reports.safe import cleaned, shortened, width
from custody.reports.terminal.layout import COLUMNS, labelled, listed, pad, wrapped
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.words import counted, leaf_text, moment, number, stamp

MARKS = {
    "issue": "●", "use": "◆", "secret": "◈", "made": "▲", "exposed": "‼", "start": "○", "run-end": "○", "session": "▷",
    "session-end": "◁", "request": "▢", "decide": "▤", "approve": "▣", "deny": "✗", "withdraw": "▢", "refresh": "↻",
    "change": "△", "end": "◌", "told": "◇", "finding": "!", "done": "■", "opened": "▶", "closed": "■", "reopened": "▶",
    "aware": "▶",
}  # fmt: skip
KIND, TIME, FINE, LANE = 13, 10, 14, 14
EVIDENCE = 34
TEXT_LINES = 4


def timeline(view: IncidentView, style: Style = PLAIN) -> str:
    """The whole timeline, days as headings, in order of corrected time."""
    view = cleaned(view)
    lines = [*_head(view, style), *_lanes(view.timeline), *_clocks(view.timeline)]
    for day, moments in groupby(view.timeline.moments, key=_day):
        lines += ["", style.strong(f"{day} UTC")]
        every = list(moments)
        columns = FINE if any(_fraction(each.corrected or each.at) for each in every) else TIME
        lines += [line for each in every for line in _moment(each, day, columns, style)]
    if not view.timeline.moments:
        lines += ["", "nothing is known yet"]
    if view.timeline.left_out:
        left = counted(view.timeline.left_out, "more record")
        lines += ["", style.warn(f"cut off: {left} of the scope have no line here")]
    return "\n".join(lines) + "\n"


def _head(view: IncidentView, style: Style) -> list[str]:
    facts = [view.incident, view.severity, view.state]
    facts += [f"as of {stamp(view.as_of)}"] if view.as_of else []
    facts += [f"as it was known at {stamp(view.known_at)}"] if view.known_at else []
    return [*(style.strong(line) for line in wrapped(view.title, COLUMNS)), *listed(facts, COLUMNS, "  ")]


def _lanes(timeline: TimelineView) -> list[str]:
    return labelled("lanes", listed([_lane(each) for each in timeline.lanes] or ["none"], COLUMNS - LANE, "  "))


def _lane(each: LaneView) -> str:
    return f"{shortened(each.lane, 40)} {number(each.moments)}"


def _clocks(timeline: TimelineView) -> list[str]:
    """What was added to each source's times, and why to some nothing."""
    lines = [line for each in timeline.shifts for line in wrapped(shift_words(each), COLUMNS - LANE)]
    return labelled("clocks", lines) if lines else []


def shift_words(each: ShiftView) -> str:
    """One source's clock in words."""
    if each.shifted is None:
        return f"{each.source}: not corrected: {each.why}"
    if not each.over:
        return f"{each.source}: the reference"
    unsure = "" if each.unsure is None else f", ±{each.unsure:.3f} s"
    over = f" over {', '.join(each.over[1:])}" if len(each.over) > 1 else ""
    return f"{each.source}: {each.shifted:+.3f} s{unsure} by {counted(each.samples, 'record')}{over} {each.why}"


def _day(each: MomentView) -> str:
    found = moment(each.corrected or each.at)
    return "no time" if found is None else f"{found:%Y-%m-%d}"


def _moment(each: MomentView, day: str, columns: int, style: Style) -> list[str]:
    """The line itself, and beneath it what does not fit: whose, in which lane, until when, known when."""
    mark = MARKS.get(each.kind, "·")
    head = pad(_clock(each.corrected or each.at, day), columns) + pad(f"{mark} {each.kind}", KIND)
    times = f" ×{number(each.count)}" if each.count > 1 else ""
    failed = "" if each.outcome == "success" else f" [{each.outcome}]"
    words = wrapped(f"{each.text}{times}{failed}", COLUMNS - width(head), most=TEXT_LINES)
    paint = style.bad if each.outcome in ("unapproved", "void") or each.kind in ("finding", "exposed") else _same
    lines = [f"{head}{paint(words[0])}", *(" " * width(head) + paint(line) for line in words[1:])]
    return [*lines, *_beneath(each, day, columns, style)]


def _same(text: str) -> str:
    return text


def _beneath(each: MomentView, day: str, columns: int, style: Style) -> list[str]:
    told = [shortened(each.lane, 24)]
    told += [shortened(each.who, 40)] if each.who and each.who != each.lane else []
    told += [f"to {_clock(each.last, day)}"] if each.last and each.last != each.at else []
    told += [f"known {_clock(each.known, day)}"] if each.known else []
    told += [f"its clock {_clock(each.at, day)}"] if each.shifted else []
    told.append(shortened(f"{each.grade}, {each.asserter}", EVIDENCE))
    lines = listed([*told, leaf_text(each.leaf)], COLUMNS - columns, "  ")
    return [" " * columns + style.faint(line) for line in lines]


def _clock(text: str | None, day: str) -> str:
    """The time alone where it is of ``day``, with the date otherwise; milliseconds where the time has a fraction."""
    found = moment(text)
    if found is None:
        return text or "?"
    clock = f"{found:%H:%M:%S}{f'.{found.microsecond // 1000:03}' if found.microsecond else ''}"
    return clock if f"{found:%Y-%m-%d}" == day else f"{found:%Y-%m-%d} {clock}"


def _fraction(text: str) -> bool:
    found = moment(text)
    return found is not None and found.microsecond > 0
