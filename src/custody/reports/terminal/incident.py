"""``custody incident show``: what the incident is now, what was done and whether it worked, and every answer.

The page is folded: half a screen that says where it stands and what comes next, then each section in short, with how
to see the whole of it. ``--section NAME`` unfolds one, ``--all`` every one; nothing is left out of JSON.
"""

from __future__ import annotations

from collections.abc import Callable

from custody.model.incident_view import IncidentView
from custody.reports.incident.spoken import spoken
from custody.reports.safe import cleaned
from custody.reports.terminal.incident_actions import actions
from custody.reports.terminal.incident_judged import details, judged, title
from custody.reports.terminal.incident_now import following, heading, now, people
from custody.reports.terminal.incident_scope import checks, missing, odd, scope
from custody.reports.terminal.layout import labelled
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.words import counted

SECTIONS = ("actions", "answers", "re-enable", "scope", "missing", "odd")
"""The names of the sections, in order."""


def page(view: IncidentView, style: Style = PLAIN, section: str | None = None, *, whole: bool = False) -> str:
    """The page, 80 columns. Commands stand on lines of their own, never divided, so that they can be copied.

    ``section``, one of SECTIONS, gives that alone and all of it; ``whole`` all of everything.
    """
    view = spoken(cleaned(view))
    if section is not None:
        found = _SECTIONS[section](view, style, False) or [f"{section}: nothing to show"]
        return "\n".join([*heading(view, style), "", *found]) + "\n"
    first = [*heading(view, style), *people(view, style, folded=not whole)]
    parts = [first, [*now(view, style), *following(view, style)]]
    parts += [_SECTIONS[name](view, style, not whole) for name in SECTIONS]
    return "\n\n".join("\n".join(part) for part in (*parts, _more(view, style)) if part) + "\n"


def _actions(view: IncidentView, style: Style, folded: bool) -> list[str]:
    hidden = "the exact content" if folded and any(each.content for each in view.actions) else ""
    return [title("ACTIONS", "actions", style, hidden), *actions(view.actions, style, folded=folded)]


def _answers(view: IncidentView, style: Style, folded: bool) -> list[str]:
    lines = [line for each in view.answers for line in judged(each, style, folded=folded)]
    hidden = details(view.answers) if folded else ""
    return [title("ANSWERS", "answers", style, hidden), *lines] if lines else []


def _checks(view: IncidentView, style: Style, folded: bool) -> list[str]:
    lines = checks(view.checks, style, folded=folded)
    return [title("RE-ENABLE", "re-enable", style, "what each rests on" if folded else ""), *lines] if lines else []


def _scope(view: IncidentView, style: Style, folded: bool) -> list[str]:
    hidden = "every credential, and what it did" if folded and view.scope.credentials_total else ""
    return [title("SCOPE", "scope", style, hidden), *scope(view.scope, style, folded=folded)]


def _missing(view: IncidentView, style: Style, folded: bool) -> list[str]:
    lines = missing(view, folded=folded)
    hidden = counted(len(view.missing), "gap") if folded and view.missing else ""
    return [title("MISSING EVIDENCE", "missing", style, hidden), *lines] if lines else []


def _odd(view: IncidentView, style: Style, folded: bool) -> list[str]:
    lines = odd(view, style, folded=folded)
    hidden = counted(len(view.odd), "step") if folded else ""
    return [title("STEPS THAT CHANGE NOTHING", "odd", style, hidden), *lines] if lines else []


_SECTIONS: dict[str, Callable[[IncidentView, Style, bool], list[str]]] = {
    "actions": _actions,
    "answers": _answers,
    "re-enable": _checks,
    "scope": _scope,
    "missing": _missing,
    "odd": _odd,
}


def _more(view: IncidentView, style: Style) -> list[str]:
    told = f" --known-at {view.known_at}" if view.known_at else ""
    show, lines = f"custody incident show {view.incident}{told}", f"custody incident timeline {view.incident}{told}"
    return [
        *labelled("all of it", [style.faint(f"{show} --all")]),
        *labelled("page", [style.faint(f"{show} --html FILE")]),
        *labelled("timeline", [style.faint(lines)]),
    ]
