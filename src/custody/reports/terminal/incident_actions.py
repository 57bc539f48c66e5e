"""The actions of an incident: who asked, who decided and whether that counts, what was done, and whether it worked."""

from __future__ import annotations

from datetime import timedelta

from custody.model.incident_view import ActionView, Told
from custody.reports.terminal.incident_judged import ROOM, STATE, judged, told
from custody.reports.terminal.layout import COLUMNS, labelled, listed, wrapped
from custody.reports.terminal.style import Style
from custody.reports.words import counted, moment, short_key, stamp

BAD = ("done without approval", "denied", "lapsed")
SOON = timedelta(seconds=60)
MOST, TARGETS = 5, 3
"""Actions, and targets of one, that are shown where they are folded; the others are counted."""


def actions(every: tuple[ActionView, ...], style: Style, *, folded: bool) -> list[str]:
    """Every action; where ``folded``, the last ones without the exact content of the request."""
    shown = every[-MOST:] if folded else every
    lines = [line for each in shown for line in ("", *_action(each, style, folded=folded))][1:]
    if len(every) > len(shown):
        lines = [f"{counted(len(every) - len(shown), 'earlier action')}: --section actions", "", *lines]
    return lines or ["nothing was asked for yet"]


def _action(each: ActionView, style: Style, *, folded: bool) -> list[str]:
    paint = style.bad if each.status in BAD or each.unapproved or each.overdue else str
    glass = "  break-glass" if each.break_glass else ""
    lines = [f"{style.strong(f'{each.action}  {each.kind}')}  {paint(each.status)}{glass}"]
    lines += labelled("  of", _targets(each, folded=folded))
    lines += told("  asked", each.asked, style, each.asked.reason if folded else None)
    lines += _policy(each) if not folded or not each.decisions else []
    for decision in each.decisions:
        lines += told("  decided", decision, style, decision.reason if folded and _is_grant(decision) else None)
    for done in each.done:
        lines += told("  done", done, style, "" if folded and _as_asked(each, done) else None)
    if each.said_at and not (folded and any(_near(each.said_at, done.at) for done in each.done)):
        lines += labelled("  said at", [stamp(each.said_at)])
    lines += told("  settled", each.settled, style) if each.settled is not None else []
    for review in each.reviews:
        lines += told("  reviewed", review, style)
    lines += labelled("  owes", [style.bad(", ".join(each.overdue))]) if each.overdue else []
    return [*lines, *_outcome(each, style, folded=folded), *(() if folded else _content(each, style))]


def _near(said: str, sealed: str) -> bool:
    """Whether it is said to be done when that was sealed, as far as people care."""
    first, second = moment(said), moment(sealed)
    return first is not None and second is not None and abs(first - second) <= SOON


def _targets(each: ActionView, *, folded: bool) -> list[str]:
    shown = each.targets[:TARGETS] if folded else each.targets
    names = [short_key(target) if folded else target for target in shown]
    lines = listed(names, ROOM) if folded else [line for name in names for line in wrapped(name, ROOM)]
    return [*lines, *([f"and {len(each.targets) - len(shown)} more"] if len(each.targets) > len(shown) else [])]


def _policy(each: ActionView) -> list[str]:
    policy = f"{each.policy}{f': {each.approvals_asked}' if each.approvals_asked else ''}"
    return labelled("  policy", wrapped(policy + (f" ({', '.join(each.policies)})" if each.policies else ""), ROOM))


def _is_grant(decision: Told) -> bool:
    """Whether it says no more than that somebody approves: what else was decided is said in full."""
    return decision.what.startswith("approves ")


def _as_asked(each: ActionView, done: Told) -> bool:
    """Whether what is said to be done is what was asked for, which need not be said again."""
    return bool(each.content) and done.what.endswith(f": {'; '.join(each.content)}")


def _outcome(each: ActionView, style: Style, *, folded: bool) -> list[str]:
    if each.outcome is None:
        return labelled("  outcome", ["not judged"])
    lines = [f"  {line}" for line in judged(each.outcome.judged, style, COLUMNS - 2, folded=folded, asked=not folded)]
    after = each.outcome.last_success_after
    told = [f"✗ last success after it: {stamp(after)}"] if after else []
    told += [f"✗ session open: {one}" for one in each.outcome.surviving]
    return [
        *lines,
        *(" " * (STATE + 2) + style.bad(line) for one in told for line in wrapped(one, COLUMNS - STATE - 2)),
    ]


def _content(each: ActionView, style: Style) -> list[str]:
    return [
        *labelled("  digest", [each.digest]),
        *labelled("  lapses", [stamp(each.lapses)]),
        *(labelled("  until", [stamp(each.until)]) if each.until else ()),
        *(labelled("  by", wrapped(each.executor, ROOM)) if each.executor else ()),
        *(style.faint(f"    {one}") for one in each.content),
    ]
