"""The lines of the drawing that join what belongs to one action: its request, its approvals, what was done, the end."""

from __future__ import annotations

from collections.abc import Sequence

from custody.model.incident_view import ActionView, MomentView
from custody.reports.views.drawing import Link

Point = tuple[MomentView, int, int]
"""A line of the timeline and where it stands."""
DECIDED = ("approve", "deny", "withdraw")
MOST = 200


def threads(placed: Sequence[Point], actions: Sequence[ActionView]) -> tuple[Link, ...]:
    """From the request to each decision and what was done, and from there to the end that the target's own log tells.

    The line to an end is exact where the outcome is proved, else only told: that something ended afterwards does not
    say that this ended it.
    """
    found: list[Link] = []
    for action in actions[:MOST]:
        mine = [each for each in placed if each[0].action == action.action]
        asked = next((each for each in mine if each[0].kind == "request"), None)
        decided = [each for each in mine if each[0].kind in DECIDED]
        done = [each for each in mine if each[0].kind == "done"]
        if asked is not None:
            found += [_curve(asked, each) for each in decided]
        before = next((each for each in reversed(decided) if each[0].kind == "approve"), asked)
        found += [_curve(before, each) for each in done if before is not None]
        end = _end(placed, action)
        if done and end is not None:
            proved = action.outcome is not None and action.outcome.judged.state == "proved"
            found.append(_curve(done[0], end, "exact" if proved else "told"))
    return tuple(found)


def _end(placed: Sequence[Point], action: ActionView) -> Point | None:
    """The end at the time at which the outcome was observed."""
    when = None if action.outcome is None else action.outcome.observed_at
    return next((each for each in placed if each[0].kind == "end" and when is not None and each[0].at == when), None)


def _curve(start: Point, end: Point, grade: str | None = None) -> Link:
    kept = grade or ("exact" if end[0].grade == "exact" and end[0].outcome == "success" else "told")
    (_, x, y), (_, to_x, to_y) = start, end
    if abs(to_x - x) < 2:
        return Link(f"M{x} {y}V{to_y}", kept)
    bend = max(abs(to_x - x) // 2, 8) * (1 if to_x > x else -1)
    return Link(f"M{x} {y}C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}", kept)
