"""What the answers rest on, and what was not read."""

from custody.model.report import Report, ScopePart
from custody.reports.safe import cleaned, shortened
from custody.reports.terminal.layout import COLUMNS, LABEL, labelled, listed, wrapped
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.words import counted, number, period, stamp

ROOM = COLUMNS - LABEL


def scope(report: Report, style: Style = PLAIN) -> str:
    """Every source and account that was read, what was not, and how whole it is."""
    report = cleaned(report)
    lines = [*read(report, style, None), "", *records(report, style)]
    for reason, count in sorted(report.skipped.items()):
        lines += labelled("", [f"skipped {number(count)}: {reason}"])
    lines += labelled("FILES", wrapped(f"{counted(report.acquisitions, 'acquisition')}, each sealed", ROOM))
    lines += labelled("AS OF", [shortened(stamp(report.as_of), ROOM)])
    return "\n".join(lines) + "\n"


def read(report: Report, style: Style, most: int | None) -> list[str]:
    """The SCOPE lines: at most ``most`` accounts, those with most events first."""
    parts = sorted(report.scope.read, key=lambda part: (-part.events, part.source, part.account or ""))
    shown = parts if most is None else parts[:most]
    lines = [line for part in shown for line in _part(part)] or ["nothing was read"]
    if len(parts) > len(shown):
        rest = parts[len(shown) :]
        lines.append(f"and {counted(len(rest), 'more account')}, {number(sum(part.events for part in rest))} events")
    lines += _not_read(report.scope.not_read)
    head = labelled("SCOPE", lines)
    return [style.strong("SCOPE") + head[0][5:], *head[1:]]


def _part(part: ScopePart) -> list[str]:
    kinds = f"{' and '.join(kind.lower() for kind in part.categories) or 'unclassified'} events"
    items = [f"{part.source} {part.account or 'no account'}", ", ".join(part.regions) or "no region", kinds]
    facts = f"  {period(part.first, part.last)} UTC, {counted(part.events, 'event')}"
    return [*listed(items, ROOM, "  "), *wrapped_indented(facts)]


def wrapped_indented(text: str) -> list[str]:
    """Wrapped with the indent of its first line."""
    return [f"  {line}" for line in wrapped(text.strip(), ROOM - 2)]


def _not_read(items: tuple[str, ...]) -> list[str]:
    if not items:
        return []
    first, *rest = listed(("not read: " + items[0], *items[1:]), ROOM)
    return [first, *rest]


def records(report: Report, style: Style) -> list[str]:
    """The RECORDS line: records are understood, skipped or duplicates, always; conflicts are among the understood."""
    items = [
        f"{number(report.understood)} understood",
        f"{number(report.skips)} skipped",
        counted(report.duplicates, "duplicate"),
        counted(report.conflicts, "conflict"),
    ]
    if report.variants:
        items.append(counted(report.variants, "variant"))
    lines = labelled("RECORDS", listed(items, ROOM))
    return [style.strong("RECORDS") + lines[0][7:], *lines[1:]]
