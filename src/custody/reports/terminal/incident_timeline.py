"""``custody incident timeline``: every line with its own time, its lane, its grade, its leaf, and when it was known.

What the line before says as well is not said again: lane, whose, grade. When a line was known here is said where that
is neither the usual time of the records (the heading has it) nor its own.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby

import msgspec

from custody.model.incident_view import IncidentView, LaneView, MomentView, ShiftView, TimelineView
from custody.reports.incident.spoken import spoken
from custody.reports.safe import cleaned, shortened, width
from custody.reports.terminal.layout import COLUMNS, ended, labelled, listed, pad, wrapped
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.words import counted, leaf_text, moment, number, stamp

MARKS = {
    "issue": "●", "use": "◆", "secret": "◈", "made": "▲", "exposed": "‼", "start": "○", "run-end": "○", "session": "▷",
    "session-end": "◁", "request": "▢", "decide": "▤", "approve": "▣", "deny": "✗", "withdraw": "▢", "refresh": "↻",
    "change": "△", "end": "◌", "told": "◇", "finding": "!", "done": "■", "opened": "▶", "closed": "■", "reopened": "▶",
    "aware": "▶",
}  # fmt: skip
KIND, TIME, FINE, LANE, NAME = 13, 10, 14, 14, 24
EVIDENCE = 34
TEXT_LINES = 4
WIDE, WIDEST = 100, 160
"""From how many columns on every line has its lane beside it, and the most columns that are used."""
SOON = timedelta(seconds=60)
"""What was known within this of its own time needs no word about it."""


class Laid(msgspec.Struct, frozen=True):
    """How lines are laid out: the columns of all, of the time and of the lane, and the usual time of knowing."""

    columns: int
    time: int
    lane: int
    usual: str


def timeline(view: IncidentView, style: Style = PLAIN, columns: int = COLUMNS) -> str:
    """The whole timeline, days as headings, in order of corrected time; from 100 ``columns`` on lanes are a column."""
    view = spoken(cleaned(view))
    usual = _usual(view.timeline.moments)
    lines = [*_head(view, style), *_lanes(view.timeline), *_clocks(view.timeline), *_known(usual)]
    for day, moments in groupby(view.timeline.moments, key=_day):
        lines += ["", style.strong(f"{day} UTC")]
        lines += _lines(list(moments), day, columns, usual, style)
    if not view.timeline.moments:
        lines += ["", "nothing is known yet"]
    if view.timeline.left_out:
        left = counted(view.timeline.left_out, "more record")
        lines += ["", style.warn(f"cut off: {left} of the scope have no line here")]
    return "\n".join(lines) + "\n"


def _usual(moments: Sequence[MomentView]) -> str:
    """When most lines of records were known, to the second; nothing where fewer than two were known together."""
    times = Counter(stamp(each.known) for each in moments if each.known and each.party != "person")
    found, count = times.most_common(1)[0] if times else ("", 0)
    return found if count > 1 else ""


def _known(usual: str) -> list[str]:
    told = f"records at {usual}, steps when they were taken, unless a line says another time"
    lines = labelled("known here", wrapped(told, COLUMNS - LANE)) if usual else []
    return [*lines, *labelled("beneath", ["lane, whose and grade, where they are not those of the line above"])]


def _lines(every: list[MomentView], day: str, columns: int, usual: str, style: Style) -> list[str]:
    clocks = clocks_of(every, day)
    time = FINE if any("." in each for each in clocks) else TIME
    laid = Laid(min(columns, WIDEST), time, NAME if columns >= WIDE else 0, usual)
    lines, before = [], ""
    for each, when in zip(every, clocks, strict=True):
        whose = _whose(each, laid)
        lines += _moment(each, when, laid, style)
        lines += _beneath(each, day, "" if "  ".join(whose) == before else "  ".join(whose), laid, style)
        before = "  ".join(whose)
    return lines


def clocks_of(every: Sequence[MomentView], day: str) -> list[str]:
    """The time of each line: to the second, with milliseconds where its neighbours would look like it and are not."""
    times = [each.corrected or each.at for each in every]
    short = [clock(each, day) for each in times]
    found = []
    for place, each in enumerate(times):
        near = [at for at in (place - 1, place + 1) if 0 <= at < len(times)]
        alike = any(short[at] == short[place] and times[at] != each for at in near)
        found.append(fine(each, day) if alike else short[place])
    return found


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


def _moment(each: MomentView, when: str, laid: Laid, style: Style) -> list[str]:
    """The line itself, its leaf at the right edge."""
    mark = MARKS.get(each.kind, "·")
    lane = pad(shortened(each.lane, laid.lane - 2), laid.lane) if laid.lane else ""
    head = pad(when, laid.time) + lane + pad(f"{mark} {each.kind}", KIND)
    times = f" ×{number(each.count)}" if each.count > 1 else ""
    failed = "" if each.outcome == "success" else f" [{each.outcome}]"
    room = laid.columns - width(head)
    words = wrapped(f"{each.text}{times}{failed}", room, most=TEXT_LINES)
    paint = style.bad if each.outcome in ("unapproved", "void") or each.kind in ("finding", "exposed") else str
    last = ended([words[-1]], leaf_text(each.leaf), room)
    tail = [paint(words[-1]) + last[0][len(words[-1]) :], *last[1:]]
    first, *rest = [*map(paint, words[:-1]), *tail]
    return [f"{head}{first}", *(" " * width(head) + line for line in rest)]


def _whose(each: MomentView, laid: Laid) -> list[str]:
    """In which lane it is, whose it is, and on whose word."""
    told = [] if laid.lane else [shortened(each.lane, NAME)]
    told += [shortened(each.who, 40)] if each.who and each.who != each.lane else []
    return [*told, shortened(", ".join(filter(None, (each.grade, each.asserter))), EVIDENCE)]


def _beneath(each: MomentView, day: str, whose: str, laid: Laid, style: Style) -> list[str]:
    """What does not fit into the line: whose, until when, by its own clock, known when."""
    told = whose.split("  ") if whose else []
    told += [f"to {clock(each.last, day)}"] if each.last and each.last != each.at else []
    told += [f"known {clock(each.known, day)}"] if _is_notable(each, laid.usual) else []
    told += [f"its clock {fine(each.at, day)}"] if each.shifted else []
    indent = laid.time + laid.lane
    lines = listed(told, laid.columns - indent, "  ") if told else []
    return [" " * indent + style.faint(line) for line in lines]


def _is_notable(each: MomentView, usual: str) -> bool:
    known, own = moment(each.known), moment(each.corrected or each.at)
    if known is None or stamp(each.known) == usual:
        return False
    return own is None or abs(known - own) > SOON


def clock(text: str | None, day: str) -> str:
    """The time alone where it is of ``day``, with the date otherwise, to the second."""
    found = moment(text)
    if found is None:
        return text or "?"
    return f"{found:%H:%M:%S}" if f"{found:%Y-%m-%d}" == day else f"{found:%Y-%m-%d %H:%M:%S}"


def fine(text: str, day: str) -> str:
    """The same with milliseconds where the time has a fraction."""
    found = moment(text)
    return clock(text, day) + (f".{found.microsecond // 1000:03}" if found is not None and found.microsecond else "")
