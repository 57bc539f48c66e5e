"""Findings: on the main page the ones that ask for most, in ``custody findings`` all that there is to say."""

from collections import Counter
from collections.abc import Sequence

from custody.model.report import Report
from custody.model.sampling import Sample
from custody.model.verdicts import Borne, Finding
from custody.reports.safe import cleaned, plain, shortened, width
from custody.reports.terminal.layout import COLUMNS, ended, labelled, leaves, listed, wrapped
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.words import SEVERITIES, counted, day, number, state_word

INDENT = 10
WIDE = 14
ROOM = COLUMNS - INDENT


def findings(
    report: Report,
    style: Style = PLAIN,
    *,
    most: int | None = None,
    sample: Sample | None = None,
    suppressed: bool = False,
) -> str:
    """The findings, most severe first, each with what was found, why it matters, what to do, and its evidence.

    Where they are a ``sample``, what it was drawn from comes first. ``suppressed`` says that they are those that the
    contract suppresses.
    """
    report = cleaned(report)
    shown = report.findings if most is None else report.findings[:most]
    title = "SUPPRESSED" if suppressed else "FINDINGS"
    lines = [style.strong(title) + " " * (WIDE - len(title)) + tally(report.findings)]
    about = labelled("", unmatched(report.contract.unmatched), WIDE) if suppressed else _set_aside(report)
    lines += [*about, *(_drawn(sample) if sample else ())]
    for found in shown:
        lines += ["", *_whole(found, style)]
    if len(shown) < len(report.findings):
        lines += ["", f"{number(len(report.findings) - len(shown))} more: custody findings --json"]
    return "\n".join(lines) + "\n"


def _set_aside(report: Report) -> list[str]:
    """That there are findings which the contract suppresses."""
    if not report.suppressed:
        return []
    told = f"and {number(len(report.suppressed))} that the contract suppresses"
    return ended(labelled("", [told], WIDE), "custody findings --suppressed")


def unmatched(found: Sequence[str], columns: int = COLUMNS - WIDE) -> list[str]:
    """The suppressions of the contract that mean nothing that was found."""
    told = f"{counted(len(found), 'suppression')} without a finding: {'; '.join(found)}"
    return wrapped(told, columns, most=3) if found else []


def _drawn(sample: Sample) -> list[str]:
    """What somebody needs to draw the sample again (docs/controls.md says how)."""
    told = (
        f"{number(len(sample.chosen))} of a population of {number(sample.population)}, drawn by the seed "
        f"{shortened(plain(sample.seed), ROOM)}; the population's ids have SHA-256 {sample.digest}"
    )
    return labelled("SAMPLE", wrapped(told, COLUMNS - WIDE), WIDE)


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
    return [*lines, *_set_aside(report)]


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
        ("excepted", wrapped(borne(found.excepted), ROOM) if found.excepted else []),
        (_label(found), wrapped(borne(found.suppressed), ROOM) if found.suppressed else []),
        ("why", wrapped(found.why, ROOM)),
        ("do", wrapped(found.action, ROOM)),
        ("rests on", wrapped(f"{rests}; {counted(found.count, 'record')}", ROOM)),
        ("", wrapped(leaves(found.leaves, len(found.leaves), found.count), ROOM) if found.leaves else []),
        ("about", wrapped(found.subject, ROOM)),
        ("controls", listed(found.controls, ROOM) if found.controls else []),
        ("id", [shortened(found.id, ROOM)]),
    )
    return [*_head(found, style), *(line for label, text in rows for line in _labelled(label, text, style))]


def _label(found: Finding) -> str:
    return "was borne" if found.suppressed is not None and found.suppressed.over else "borne"


def borne(one: Borne) -> str:
    """Until when, by whom and why: of a suppression that ran out, that it did."""
    end = f"suppressed until {day(one.until)}, which is over" if one.over else f"until {day(one.until)}"
    return f"{end}; {one.owner}: {one.reason}"


def _labelled(label: str, lines: list[str], style: Style) -> list[str]:
    laid = labelled(label, lines, INDENT)
    return [style.faint(laid[0][:INDENT]) + laid[0][INDENT:], *laid[1:]] if laid and label else laid
