"""The three coverage numbers and the answers by question."""

from collections.abc import Sequence

import msgspec

from custody.model.report import Coverage, QuestionCounts, Ratio, Report
from custody.model.verdicts import Question
from custody.reports.safe import cleaned, shortened, width
from custody.reports.terminal.layout import COLUMNS, labelled, pad, right, wrapped
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.words import answered, counted, number, stamp

LABELS = 28
HEADS = ("proved", "violated", "unproven", "open", "n/a")
MAIN = (Question.BOUND, Question.HOLDER, Question.ISSUANCE, Question.APPROVED, Question.END_EFFECTIVE)
"""The questions that the main page always shows; one with a violation is added to them."""


def coverage(report: Report, style: Style = PLAIN) -> str:
    """Every question, what the numbers count, and the change that would settle most."""
    report = cleaned(report)
    lines = [
        *numbers(report, style),
        "",
        *table(report.coverage.questions, report, style),
        "",
        *paragraphs(),
        "",
        *fix(report.coverage, style),
        *not_judged(report.contract.not_judged),
    ]
    return "\n".join(lines) + "\n"


def numbers(report: Report, style: Style) -> list[str]:
    """The head line and the three numbers, each with its population and the reason beside a 0."""
    head = pad("COVERAGE", LABELS) + "machine credentials"
    moment = shortened(f"as of {stamp(report.as_of)}", COLUMNS - width(head) - 2)
    first = style.strong("COVERAGE") + head[8:] + right(moment, COLUMNS - width(head))
    found = report.coverage
    same = found.identities.count is not None and found.identities.why == found.chains.why != ""
    identities = msgspec.structs.replace(found.identities, why="for the same reason") if same else found.identities
    rows = (("population", found.population), ("complete chains", found.chains), ("complete identities", identities))
    lines = [first, *(line for label, ratio in rows for line in _number(label, ratio))]
    if found.exempt:
        lines += labelled("exempt", [f"{number(found.exempt)}   by an exception of their class"], LABELS)
    return lines


def _number(label: str, ratio: Ratio) -> list[str]:
    """``0 of 6   why``: the reason keeps its own column when it takes several lines."""
    text = ratio_text(ratio)
    if not ratio.why:
        return labelled(label, [text], LABELS)
    if ratio.count is None and ratio.of is None:
        return labelled(label, wrapped(f"{text}: {ratio.why}", COLUMNS - LABELS), LABELS)
    column = width(text) + 3
    first, *rest = wrapped(ratio.why, COLUMNS - LABELS - column)
    return labelled(label, [pad(text, column) + first, *(" " * column + line for line in rest)], LABELS)


def ratio_text(ratio: Ratio) -> str:
    """``0 of 6``, ``unknown of 6``, ``unknown``."""
    count = "unknown" if ratio.count is None else number(ratio.count)
    return count if ratio.of is None else f"{count} of {number(ratio.of)}"


def table(questions: Sequence[QuestionCounts], report: Report, style: Style) -> list[str]:
    """One line a question: the five counts, right-aligned, and a note where a number alone would mislead."""
    if not questions:
        return []
    rows = [(one.proved, one.violated, one.unproven, one.open, one.not_applicable) for one in questions]
    widths = [
        max(len(head), *(len(number(row[at])) for row in rows)) + (2 if at else 1) for at, head in enumerate(HEADS)
    ]
    head = " " * LABELS + "".join(right(name, columns) for name, columns in zip(HEADS, widths, strict=True))
    lines = [style.faint(head)]
    for one, row in zip(questions, rows, strict=True):
        lines += _row(one, row, widths, report, style)
    return lines


def _row(one: QuestionCounts, row: tuple[int, ...], widths: list[int], report: Report, style: Style) -> list[str]:
    cells = [right(number(value), columns) for value, columns in zip(row, widths, strict=True)]
    painted = [
        style.faint(cell) if value == 0 else style.bad(cell) if head == "violated" else cell
        for cell, value, head in zip(cells, row, HEADS, strict=True)
    ]
    label = pad(answered(one.question), LABELS)
    text = note(one, report)
    used = LABELS + sum(widths)
    if text and used + 2 + len(text) <= COLUMNS:
        return [f"{label}{''.join(painted)}  {style.faint(text)}"]
    return [f"{label}{''.join(painted)}", *([style.faint(right(text, COLUMNS))] if text else [])]


def note(one: QuestionCounts, report: Report) -> str:
    """What the numbers of a question need said beside them."""
    if not one.judged:
        return "not judged"
    if one.question == Question.APPROVED and one.not_applicable and report.contract.digest is None:
        return "no contract"
    weak = ((one.indicated, "indicated"), (one.claimed, "claimed"))
    return ", ".join(f"{number(value)} {name}" for value, name in weak if value)


def main_questions(questions: Sequence[QuestionCounts]) -> tuple[QuestionCounts, ...]:
    """Those that the main page shows."""
    return tuple(one for one in questions if one.question in MAIN or one.violated)


def paragraphs() -> list[str]:
    """What the words of the table mean."""
    meanings = (
        ("proved", "every link exact and asserted by issuer or verifier"),
        ("violated", "the same strength of evidence for the opposite; never part of a percentage"),
        ("unproven", "the best there is may be indicated or claimed; neither counts as proved"),
        ("open", "alive, or inside the delivery delay"),
        ("n/a", "the question does not apply, and the chain says why"),
    )
    return [line for word, meaning in meanings for line in labelled(word, wrapped(meaning, 66))]


def not_judged(fields: Sequence[str], columns: int = COLUMNS) -> list[str]:
    """What the contract declares and no rule judges yet."""
    return wrapped(f"declared, not judged yet: {', '.join(fields)}", columns) if fields else []


def fix(found: Coverage, style: Style) -> list[str]:
    """The change that would settle most."""
    if found.cheapest_fix is None:
        return []
    text = f"{found.cheapest_fix}: settles {counted(found.cheapest_fix_settles, 'answer')}"
    lines = labelled("CHEAPEST FIX", wrapped(text, COLUMNS - 14))
    return [style.strong("CHEAPEST FIX") + lines[0][12:], *lines[1:]]
