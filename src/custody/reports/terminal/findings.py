"""Findings: on the main page the ones that ask for most, in ``custody findings`` all that there is to say."""

from collections import Counter

from custody.model.report import Report
from custody.model.verdicts import Finding
from custody.reports.safe import cleaned, shortened, width
from custody.reports.terminal.layout import COLUMNS, ended, labelled, leaves, listed, wrapped
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.words import SEVERITIES, counted, number, state_word

INDENT = 10
ROOM = COLUMNS - INDENT


def findings(report: Report, style: Style = PLAIN, *, most: int | None = None) -> str:
    """The findings, most severe first, each with what was found, why it matters, what to do, and its evidence."""
    report = cleaned(report)
    shown = report.findings if most is None else report.findings[:most]
    lines = [f"{style.strong('FINDINGS')}      {tally(report.findings)}"]
    for found in shown:
        lines += ["", *_whole(found, style)]
    if len(shown) < len(report.findings):
        lines += ["", f"{number(len(report.findings) - len(shown))} more: custody findings --json"]
    return "\n".join(lines) + "\n"


def tally(findings: tuple[Finding, ...]) -> str:
    """``1 high, 2 medium``, or ``none``."""
    counts = Counter(found.severity.value for found in findings)
    return ", ".join(f"{number(counts[name])} {name}" for name in SEVERITIES if counts[name]) or "none"


def summary(report: Report, style: Style, most: int) -> list[str]:
    """The FINDINGS lines of the main page: the first ``most``."""
    head = ended([f"FINDINGS      {tally(report.findings)}"], "custody findings")
    lines = [style.strong("FINDINGS") + head[0][8:]]
    for found in report.findings[:most]:
        lines += _short(found, style)
    if len(report.findings) > most:
        lines.append(f"… {number(len(report.findings) - most)} more")
    return lines


def _short(found: Finding, style: Style) -> list[str]:
    head = _head(found, style)
    body = [" " * INDENT + line for line in wrapped(found.text, ROOM, most=3)]
    return [*head, *ended(body, counted(found.count, "leaf", "leaves") if found.count else "no leaf")]


def _head(found: Finding, style: Style) -> list[str]:
    """Severity, title and whom it is about; on a line of its own where that does not fit beside the title."""
    label = style.severity(found.severity.value, found.severity.value.ljust(INDENT))
    title = shortened(found.title, ROOM)
    beside = COLUMNS - INDENT - width(title) - 3
    if width(found.who) <= beside:
        return [f"{label}{style.strong(title)}   {found.who}"]
    return [f"{label}{style.strong(title)}", " " * INDENT + shortened(found.who, ROOM)]


def _whole(found: Finding, style: Style) -> list[str]:
    word = state_word(found.state.value, "indicated" if found.state.value == "unproven" else None)
    rests = f"{word}, {found.basis.value}" if found.basis else word
    rows = (
        ("", wrapped(found.text, ROOM)),
        ("why", wrapped(found.why, ROOM)),
        ("do", wrapped(found.action, ROOM)),
        ("rests on", wrapped(f"{rests}; {counted(found.count, 'record')}", ROOM)),
        ("", wrapped(leaves(found.leaves, len(found.leaves), found.count), ROOM) if found.leaves else []),
        ("about", wrapped(found.subject, ROOM)),
        ("controls", listed(found.controls, ROOM) if found.controls else []),
        ("id", [shortened(found.id, ROOM)]),
    )
    return [*_head(found, style), *(line for label, text in rows for line in _labelled(label, text, style))]


def _labelled(label: str, lines: list[str], style: Style) -> list[str]:
    laid = labelled(label, lines, INDENT)
    return [style.faint(laid[0][:INDENT]) + laid[0][INDENT:], *laid[1:]] if laid and label else laid
