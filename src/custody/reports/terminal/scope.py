"""What the answers rest on, and what was not read."""

from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from custody.model.report import Report, ScopePart
from custody.reports.safe import cleaned, shortened, width
from custody.reports.terminal.layout import COLUMNS, LABEL, labelled, listed, pad, right, wrapped
from custody.reports.terminal.sources_seen import certificates, clocks
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.words import counted, number, period, stamp

ROOM = COLUMNS - LABEL
REGIONAL = "aws."
"""Sources of which every account, region and event class is said: each of them can have been left out."""
CLASSED = ("aws.cloudtrail",)
LONGEST = 40


def scope(report: Report, style: Style = PLAIN) -> str:
    """Every source and account that was read, what was not, and how whole it is."""
    report = cleaned(report)
    lines = [*read(report, style, None), "", *records(report, style)]
    for reason, count in sorted(report.skipped.items()):
        lines += labelled("", [f"skipped {number(count)}: {reason}"])
    lines += labelled("FILES", wrapped(f"{counted(report.acquisitions, 'acquisition')}, each sealed", ROOM))
    lines += labelled("AS OF", [shortened(stamp(report.as_of), ROOM)])
    for more in (certificates(report, style), clocks(report, style)):
        lines += ["", *more] if more else []
    return "\n".join(lines) + "\n"


def read(report: Report, style: Style, most: int | None) -> list[str]:
    """The SCOPE lines: at most ``most`` accounts of AWS, then a line a source, those with most events first."""
    parts = sorted(report.scope.read, key=lambda part: (-part.events, part.source, part.account or ""))
    regional = [part for part in parts if part.source.startswith(REGIONAL)]
    others = [part for part in parts if not part.source.startswith(REGIONAL)]
    shown = regional if most is None else regional[:most]
    lines = [line for part in shown for line in _part(part)]
    if rest := regional[len(shown) :]:
        lines.append(f"and {counted(len(rest), 'more account')}, {number(sum(part.events for part in rest))} events")
    lines += _sources(others if most is None else _merged(others), most is None)
    lines = [*(lines or ["nothing was read"]), *_not_read(report.scope.not_read)]
    head = labelled("SCOPE", lines)
    return [style.strong("SCOPE") + head[0][5:], *head[1:]]


def _part(part: ScopePart) -> list[str]:
    kinds = f"{' and '.join(kind.lower() for kind in part.categories) or 'unclassified'} events"
    items = [f"{part.source} {part.account or 'no account'}", ", ".join(part.regions) or "no region"]
    items += [kinds] if part.source in CLASSED else []
    facts = f"  {period(part.first, part.last)} UTC, {counted(part.events, 'event')}"
    return [*listed(items, ROOM, "  "), *wrapped_indented(facts)]


def _merged(parts: Iterable[ScopePart]) -> list[ScopePart]:
    """One part a source: its accounts are counted where there are several."""
    found: list[ScopePart] = []
    for _, group in groupby(sorted(parts, key=lambda part: part.source), key=lambda part: part.source):
        some = list(group)
        names = {part.account for part in some if part.account}
        whole = msgspec.structs.replace(
            some[0],
            account=f"({counted(len(names), 'account')})" if len(names) > 1 else None,
            first=min(part.first for part in some),
            last=max(part.last for part in some),
            events=sum(part.events for part in some),
        )
        found.append(whole)
    return sorted(found, key=lambda part: (-part.events, part.source))


def _sources(parts: Sequence[ScopePart], whole: bool) -> list[str]:
    """``vault.audit       2026-11-22 12:44 UTC    446 events``, in columns where they fit."""
    names = [f"{part.source} {part.account or ''}".rstrip() for part in parts]
    counts = [counted(part.events, "event") for part in parts]
    column = min(max(map(width, names), default=0), LONGEST) + 2
    last = max(map(width, counts), default=0)
    lines: list[str] = []
    for name, count, part in zip(names, counts, parts, strict=True):
        when = f"{period(part.first, part.last)} UTC"
        if column + width(when) + 2 + last <= ROOM:
            lines.append(f"{pad(name, column)}{when}{right(count, ROOM - column - width(when))}")
        else:
            lines += [shortened(name, ROOM), *wrapped_indented(f"{when}, {count}")]
        if whole and part.regions:
            lines += wrapped_indented(", ".join(part.regions))
    return lines


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
