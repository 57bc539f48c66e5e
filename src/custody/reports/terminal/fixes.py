"""What would settle how many questions: one change after the other, best first, with what to set."""

from collections.abc import Sequence

from custody.model.report import FixRef, Report
from custody.reports.safe import plain
from custody.reports.terminal.layout import COLUMNS, labelled, right, wrapped
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.words import number

COUNT = 9
"""Columns of ``questions``, which a space follows."""
INDENT = COUNT + 13
"""Columns before a text: both counts."""


def fixes(report: Report, style: Style = PLAIN) -> str:
    """Every change that would settle something; then what nothing settles today."""
    found = report.coverage.fixes
    if not found:
        return "FIXES         nothing that a change would settle is unproven\n"
    lines = [*_head(style), *_rows([each for each in found if each.available], style)]
    later = [each for each in found if not each.available]
    if later:
        lines += ["", style.strong("NOT YET") + "       what no change settles today, and why", *_rows(later, style)]
    return "\n".join(lines) + "\n"


def _head(style: Style) -> list[str]:
    said = "answers about machine credentials that a change would settle"
    counts = right("questions", COUNT) + right("credentials", 12)
    return [style.strong("FIXES") + f"         {said}", style.faint(counts)]


def _rows(found: Sequence[FixRef], style: Style) -> list[str]:
    return [line for fix in found for line in _row(fix, style)]


def _row(fix: FixRef, style: Style) -> list[str]:
    """The counts beside what would settle, then the source, then each line of the setting."""
    counts = right(number(fix.questions), COUNT) + right(number(fix.credentials), 12) + " "
    lines = labelled(counts, wrapped(plain(fix.settles), COLUMNS - INDENT), INDENT)
    source = () if fix.source is None else (f"source: {fix.source}",)
    for each in (*source, *(fix.setting.split("\n") if fix.setting else ())):
        lines += [" " * INDENT + style.faint(line) for line in wrapped(plain(each), COLUMNS - INDENT)]
    return lines
