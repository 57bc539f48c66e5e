"""The main page: what ``custody audit`` ends with."""

from custody.model.report import Report
from custody.reports.safe import cleaned, shortened
from custody.reports.terminal.coverage import fix, main_questions, not_judged, numbers, table
from custody.reports.terminal.findings import summary, unmatched
from custody.reports.terminal.layout import COLUMNS, LABEL, ended, joined, labelled, listed, wrapped
from custody.reports.terminal.scope import read, records
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.words import counted, number, population, promise

TOP = 5
ACCOUNTS = 3
ROOM = COLUMNS - LABEL


def page(report: Report, style: Style = PLAIN) -> str:
    """Scope, records, keys, credentials, coverage, findings, the cheapest fix, the seal: in that order, 80 columns."""
    report = cleaned(report)
    sections = (
        [
            *read(report, style, ACCOUNTS),
            *records(report, style),
            *_keys(report, style),
            *_credentials(report, style),
            *_contract(report, style),
        ],
        _coverage(report, style),
        summary(report, style, TOP),
        fix(report.coverage, style),
        seal(report, style),
    )
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _keys(report: Report, style: Style) -> list[str]:
    keys = report.keys
    items = [f"{number(keys.issued)} issued here", f"{number(keys.used)} used", f"{number(keys.joined)} both"]
    return _titled("KEYS", listed(items, COLUMNS - LABEL), style)


def _credentials(report: Report, style: Style) -> list[str]:
    counts = [(population(name), value) for name, value in report.credentials.items()]
    lines = listed([joined([pair]) for pair in counts] or ["none"], COLUMNS - LABEL, "   ")
    total = report.forward_sessions.get("total", 0)
    if total:
        lines.append(f"and {counted(total, 'forward access session')}, uses of their parents")
    return _titled("CREDENTIALS", lines, style)


def _contract(report: Report, style: Style) -> list[str]:
    """The contract by which the chains are judged, where there is one."""
    found = report.contract
    if found.digest is None:
        return []
    items = [counted(found.classes, "class", "classes"), f"sha256 {shortened(found.digest, 19)}"]
    items += [f"one of {number(len(found.versions))} versions"] if len(found.versions) > 1 else []
    more = [*not_judged(found.not_judged, ROOM), *unmatched(found.unmatched, ROOM)]
    return _titled("CONTRACT", [*listed(items, ROOM), *more], style)


def _coverage(report: Report, style: Style) -> list[str]:
    shown = main_questions(report.coverage.questions)
    rest = len(report.coverage.questions) - len(shown)
    last = ended([f"… {counted(rest, 'more question')}"], "custody coverage") if rest > 0 else []
    return [*numbers(report, style), *table(shown, report, style), *last]


def seal(report: Report, style: Style) -> list[str]:
    """What the evidence is sealed in, and what that proves to whom."""
    found = report.checkpoint
    if found is None:
        return ["not sealed: there is no checkpoint"]
    text = f"sealed, {counted(found.size, 'leaf', 'leaves')}, root {shortened(found.root, 12)}; {promise(found)}"
    lines = ended(wrapped(text, COLUMNS), "custody verify")
    return [line.replace("sealed", style.strong("sealed"), 1) if not at else line for at, line in enumerate(lines)]


def _titled(title: str, lines: list[str], style: Style) -> list[str]:
    first, *rest = labelled(title, lines)
    return [style.strong(title) + first[len(title) :], *rest]
