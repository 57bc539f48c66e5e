"""The lines between the marks of a drawing, each with the grade of the join that it stands for."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from custody.model.report import Chain
from custody.reports.steps import sort
from custody.reports.views.drawing import Link
from custody.reports.views.lanes import Lanes
from custody.reports.views.placed import Placed, aside

LEADING = ("approve", "request", "run")
"""Steps that are joined to the issue, whichever came first."""


def links(chain: Chain, placed: Sequence[Placed], rows: Lanes) -> tuple[Link, ...]:
    """From parents to the issue, between the issue and approvals and run, to the first use of each lane, along each."""
    issue = next((each for each in placed if each.step.stage == "issue"), None)
    found: list[Link] = []
    if issue is not None:
        found += _from_parents(chain, issue, rows)
        found += [_curve(each, issue, grade_of(each.step.join)) for each in _leading(placed)]
    lanes: dict[tuple[int, str], list[Placed]] = defaultdict(list)
    for each in placed:
        if sort(each.step) in ("use", "session", "told"):
            lanes[each.lane, sort(each.step)].append(each)
    for (_, kept), some in sorted(lanes.items(), key=lambda item: item[0]):
        weak = "told" if kept == "told" else None
        if issue is not None:
            found.append(_curve(issue, some[0], weak or grade_of(some[0].step.join)))
        found += _along(some) if kept == "use" else []
    return tuple(found)


def _from_parents(chain: Chain, issue: Placed, rows: Lanes) -> list[Link]:
    """Straight down from the parent; those of candidates stand beside it and bend in at the end."""
    lanes = list(rows.parents)
    found: list[Link] = []
    if chain.parent is not None:
        found.append(Link(f"M{issue.x} {rows.lanes[lanes.pop(0)].y}V{issue.y}", grade_of(chain.parent.grade)))
    for at, (lane, other) in enumerate(zip(lanes, chain.candidates, strict=False), 1):
        path = f"M{aside(issue.x, at)} {rows.lanes[lane].y}V{issue.y - 12}L{issue.x} {issue.y}"
        found.append(Link(path, grade_of(other.grade)))
    return found


def _leading(placed: Sequence[Placed]) -> list[Placed]:
    """Every approval, and the first step of the run."""
    found = [each for each in placed if sort(each.step) in LEADING[:2]]
    return found + [each for each in placed if sort(each.step) == LEADING[2]][:1]


def _curve(start: Placed, end: Placed, grade: str) -> Link:
    if abs(end.x - start.x) < 2:
        return Link(f"M{start.x} {start.y}V{end.y}", grade)
    bend = max(abs(end.x - start.x) // 2, 8) * (1 if end.x > start.x else -1)
    return Link(f"M{start.x} {start.y}C{start.x + bend} {start.y} {end.x - bend} {end.y} {end.x} {end.y}", grade)


def _along(some: list[Placed]) -> list[Link]:
    """The line through the uses of one lane, in as few pieces as their grades allow."""
    pieces: list[tuple[int, int, str]] = []
    for before, after in pairwise(some):
        grade = grade_of(after.step.join)
        if pieces and pieces[-1][2] == grade:
            pieces[-1] = (pieces[-1][0], after.x, grade)
        else:
            pieces.append((before.x, after.x, grade))
    return [Link(f"M{start} {some[0].y}H{end}", grade) for start, end, grade in pieces if end > start]


def grade_of(join: str) -> str:
    """A grade as a style."""
    return join if join in ("bounded", "inferred") else "exact"
