"""How much of each source was seen, and how far their clocks are apart: what the absence of a record is worth."""

from custody.model.report import Certificate, ClockRef, Report
from custody.reports.terminal.layout import COLUMNS, LABEL, labelled, listed, wrapped
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.words import apart, counted, number, pairs, period

ROOM = COLUMNS - LABEL
SHOWN_PROBLEMS = 3
SHOWN_STRETCHES = 2


def certificates(report: Report, style: Style = PLAIN) -> list[str]:
    """The COMPLETENESS lines of a cleaned report: per source what it should hold, what was read, what is missing."""
    if not report.certificates:
        return []
    lines = [line for each in report.certificates for line in _certificate(each, style)]
    told = {each.source for each in report.certificates}
    silent = sorted({part.source for part in report.scope.read} - told)
    if silent:
        lines += wrapped(f"not known to be complete, nothing in them tells: {', '.join(silent)}", ROOM)
    return _titled("COMPLETE", lines, style)


def clocks(report: Report, style: Style = PLAIN) -> list[str]:
    """The CLOCKS lines of a cleaned report: pairs of sources, and how far the one is before or behind the other."""
    lines = [line for each in pairs(report.clocks) for line in _clock(each)]
    return _titled("CLOCKS", lines, style) if lines else []


def _titled(title: str, lines: list[str], style: Style) -> list[str]:
    first, *rest = labelled(title, lines)
    return [style.strong(title) + first[len(title) :], *rest]


def _certificate(found: Certificate, style: Style) -> list[str]:
    missing = found.expected - found.received
    name = " ".join(part for part in (found.source, found.account, found.region) if part)
    lines = listed([name, f"{period(found.since, found.until)} UTC"], ROOM, "  ")
    counts = f"{number(found.received)} of {number(found.expected)} seen: {found.how}"
    lines += [f"  {line}" for line in wrapped(counts, ROOM - 2)]
    details: list[str] = []
    details += [f"{number(missing)} not seen"] if missing > 0 else []
    details += [f"{number(count)} {name}" for name, count in found.signatures.items() if count]
    lines += [f"  {line}" for line in listed(details, ROOM - 2)] if details else []
    for since, until in found.whole[:SHOWN_STRETCHES]:
        lines += [f"  {line}" for line in wrapped(f"proved whole {period(since, until)} UTC", ROOM - 2)]
    for problem in found.problems[:SHOWN_PROBLEMS]:
        lines += [style.warn(f"  {line}") for line in wrapped(problem, ROOM - 2, most=2)]
    more = found.problems_total - len(found.problems[:SHOWN_PROBLEMS])
    return [*lines, *([f"  and {counted(more, 'more problem')}"] if more > 0 else [])]


def _clock(found: ClockRef) -> list[str]:
    text = f"{found.other} is {apart(found.apart)} {found.source}, {abs(found.widest):.3f} s at most"
    how = f"by {counted(found.samples, 'record')} {found.how}"
    return [*wrapped(text, ROOM), *(f"  {line}" for line in wrapped(how, ROOM - 2))]
