"""An incident as one HTML file: no script, no reference to anything outside of it, whatever logs and people say.

It stands on the report's own defences (``reports.html``): every text is made plain before anything is laid out, every
expression is made plain and escaped once more, and the file's policy forbids to load or run anything.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from custody.model.incident_view import ActionView, IncidentView, Judged, MomentView
from custody.reports import words
from custody.reports.html import POLICY, environment
from custody.reports.incident.drawing import drawing
from custody.reports.incident.spoken import spoken
from custody.reports.safe import cleaned
from custody.reports.terminal.incident_timeline import clock, clocks_of, fine, shift_words
from custody.reports.words import MARKS, counted, leaf_text, state_word

LINES = 1_000
"""Lines of the timeline that the page has; the files of ``custody incident timeline`` have all."""
CITED = 6
STATUS = {
    "waiting for approval": ("open", "…"),
    "may be done": ("open", "…"),
    "denied": ("na", "–"),
    "lapsed": ("unproven", "?"),
    "done": ("claimed", "?"),
    "done without approval": ("violated", "✗"),
    "settled": ("na", "–"),
}
"""How the status of an action is drawn. What is done is only claimed: its outcome says whether it worked."""


class Drawn(msgspec.Struct, frozen=True):
    """An answer as drawn: ``kind`` is the state as a style, ``mark`` and ``word`` say it without colour."""

    kind: str
    mark: str
    word: str
    answer: Judged
    cited: str


class Acted(msgspec.Struct, frozen=True):
    """An action as drawn."""

    action: ActionView
    kind: str
    mark: str
    outcome: Drawn | None


class Line(msgspec.Struct, frozen=True):
    """A line of the table: when by the corrected clock, to when, by its own clock, and known when, as written."""

    moment: MomentView
    when: str
    until: str
    own: str
    known: str


def page(view: IncidentView) -> bytes:
    """The whole file, UTF-8."""
    view = spoken(cleaned(view))
    shown = lines(view.timeline.moments)
    days = {(each.corrected or each.at)[:10] for each in shown}
    day = days.pop() if len(days) == 1 else ""
    text = (
        environment()
        .get_template("incident.html.j2")
        .render(
            view=view,
            policy=POLICY,
            promise=words.promise(view.checkpoint),
            headline=_headline(view),
            aware=view.aware is not None,
            actions=[_acted(each) for each in view.actions],
            answers=[_judged(each) for each in view.answers],
            checks=[(each.identity, [_judged(item) for item in each.items]) for each in view.checks],
            drawn=drawing(view),
            lines=[_line(each, when, day) for each, when in zip(shown, clocks_of(shown, day), strict=True)],
            day=day,
            unshown=len(view.timeline.moments) - len(shown),
            clocks=[shift_words(each) for each in view.timeline.shifts],
        )
    )
    return text.encode()


def lines(moments: Sequence[MomentView], most: int = LINES) -> list[MomentView]:
    """What the table has room for, in order: where that is not all, uses are left out first, later ones before."""
    if len(moments) <= most:
        return list(moments)
    places = sorted(range(len(moments)), key=lambda at: (moments[at].kind == "use", at))[:most]
    return [moments[at] for at in sorted(places)]


def _line(each: MomentView, when: str, day: str) -> Line:
    return Line(
        moment=each,
        when=when,
        until=clock(each.last, day) if each.last and each.last != each.at else "",
        own=fine(each.at, day) if each.shifted else "",
        known=clock(each.known, day) if each.known else "–",
    )


def _headline(view: IncidentView) -> str:
    """How far the response is, by what is proved and no more."""
    done = [each for each in view.actions if each.done]
    states = [each.outcome.judged.state for each in view.actions if each.outcome is not None]
    acted = f"{counted(len(done), 'action')} done of {words.number(len(view.actions))} asked for"
    parts = [acted, f"{words.number(states.count('proved'))} proved effective"]
    parts += [f"{words.number(states.count('violated'))} without effect"] if "violated" in states else []
    wild = sum(1 for each in view.actions if each.unapproved)
    parts += [f"{words.number(wild)} done without approval"] if wild else []
    return f"{', '.join(parts)}; {counted(view.scope.alive, 'credential')} of the scope alive."


def _acted(action: ActionView) -> Acted:
    kind, mark = STATUS.get(action.status, ("unproven", "?"))
    return Acted(action, kind, mark, None if action.outcome is None else _judged(action.outcome.judged))


def _judged(answer: Judged) -> Drawn:
    word = state_word(answer.state, answer.best)
    kind = {"n/a": "na"}.get(word, word)
    more = " …" if max(answer.count, len(answer.leaves)) > CITED else ""
    cited = " ".join(leaf_text(leaf) for leaf in answer.leaves[:CITED]) + more
    return Drawn(kind, MARKS.get(answer.state, "?"), word, answer, cited)
