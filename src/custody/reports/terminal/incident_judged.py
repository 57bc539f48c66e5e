"""A step that somebody sealed, and an answer with its verdict, as the pages of an incident lay them out."""

from __future__ import annotations

from custody.model.incident_view import Judged, Told
from custody.reports.safe import shortened
from custody.reports.terminal.layout import COLUMNS, LABEL, ended, labelled, listed, pad, wrapped
from custody.reports.terminal.style import Style
from custody.reports.words import MARKS, counted, leaf_text, stamp, state_word

ROOM = COLUMNS - LABEL
STATE = 13
CITED, FIRST = 3, 1
"""Leaves that an answer cites here, and where it is folded."""
LINES = 3
"""Lines of an answer that is folded."""


def told(label: str, each: Told, style: Style, said: str | None = None) -> list[str]:
    """Who and when, what they said, and why it does not count where it does not.

    ``said`` stands for what they said where the page is folded: their reason, or nothing.
    """
    facts = [f"{stamp(each.at)} by {each.who}", "signed" if each.signed else "not signed"]
    if said is None:
        lines = listed(facts, ROOM) + wrapped(each.what, ROOM)
    else:
        lines = wrapped(": ".join([", ".join(facts), *([said] if said else [])]), ROOM, most=LINES)
    found = labelled(label, ended(lines, leaf_text(each.leaf), ROOM))
    return found + [" " * LABEL + style.bad(line) for line in (wrapped(f"✗ {each.why}", ROOM) if each.why else ())]


def judged(
    each: Judged, style: Style, columns: int = COLUMNS, *, folded: bool = False, asked: bool = True
) -> list[str]:
    """An answer: mark and word of its verdict, the text, its details unless ``folded``, the leaves that it cites.

    ``asked`` says whether the question stands before the text.
    """
    label = f"{MARKS.get(each.state, '?')} {pad(word(each), STATE - 2)}"
    tail = [each.basis] if each.basis and each.basis != "observed" else []
    tail += [f"would settle it: {each.settles}"] if each.settles and not folded else []
    question = f"{each.question}: " if asked else ""
    lines = wrapped(f"{question}{'; '.join([each.text, *tail])}", columns - STATE, LINES if folded else None)
    if not folded and not repeats(each):
        lines += [line for part in each.parts for line in wrapped(f"- {part}", columns - STATE)]
    laid = labelled(label, lines, STATE)
    if each.leaves:
        laid = ended(laid, _leaves(each, FIRST if folded else CITED), columns)
    return [style.state(each.state, laid[0][:STATE]) + laid[0][STATE:], *laid[1:]]


def word(each: Judged) -> str:
    """The verdict in one word."""
    return state_word(each.state, each.best)


def repeats(each: Judged) -> bool:
    """Whether its one part only says its text again."""
    return len(each.parts) == 1 and each.parts[0].partition(": ")[2] == each.text


def title(name: str, section: str, style: Style, hidden: str = "") -> str:
    """The title of a section; where something is folded, how to see it stands at the right edge."""
    if not hidden:
        return style.strong(name)
    (line,) = ended([name], f"{hidden}: --section {section}")[:1]
    return style.strong(name) + line[len(name) :]


def details(found: tuple[Judged, ...]) -> str:
    """How many details answers have, in words; nothing where they have none."""
    count = sum(len(each.parts) for each in found if not repeats(each))
    return counted(count, "detail") if count else ""


def _leaves(each: Judged, cited: int) -> str:
    more = " …" if max(each.count, len(each.leaves)) > cited else ""
    return shortened(" ".join(leaf_text(leaf) for leaf in each.leaves[:cited]) + more, COLUMNS - STATE - 4)
