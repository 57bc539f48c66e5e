"""``custody trace --tree``: who delegated to whom, from the root to every descendant, with life and end."""

from custody.chains.tree import Branch, Tree
from custody.model.report import Related
from custody.reports.clock import Clock, clock
from custody.reports.kinds import kind, named
from custody.reports.safe import cleaned, shortened, width
from custody.reports.terminal.layout import COLUMNS, listed, right, wrapped
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.words import counted, number, short_key, stamp

LEGEND = "┄ may be the parent: one of several, or one that is not known for sure; no proof rests on it"
DEEPEST = 12
"""Levels past this one are not indented further: there would be no room left to write."""


def tree(found: Tree, style: Style = PLAIN) -> str:
    """Two lines a credential. Solid branches are exact links; dotted ones are candidates, and say of how many."""
    found = cleaned(found)
    times = clock(time for each in found.branches for time in (each.issued_at, each.ended_at) if time)
    alive = sum(each.alive and not each.again for each in found.branches)
    once = sum(not each.again for each in found.branches)
    facts = [counted(once, "credential"), f"{number(alive)} alive as of {stamp(found.as_of)}"]
    head = f"{', '.join(facts)}{f', issued {times.day}' if times.day else ''}"
    lines = [style.strong(line) for line in wrapped(head, COLUMNS)]
    lines += [line for at, other in enumerate(found.above, 1) for line in _above(at, len(found.above), other, style)]
    open_levels: list[bool] = []
    for place, branch in enumerate(found.branches):
        last = _last(found.branches, place)
        lines += _branch(branch, open_levels[: branch.depth - 1], last, times, style)
        open_levels[max(branch.depth - 1, 0) :] = [not last]
    if found.cut_off:
        lines.append("… the tree goes on: trace one of its credentials")
    if any(each.candidates for each in found.branches) or found.above:
        lines += ["", *(style.faint(line) for line in wrapped(LEGEND, COLUMNS))]
    return "\n".join(lines) + "\n"


def _above(at: int, of: int, other: Related, style: Style) -> list[str]:
    head = f"┄ candidate parent of the root, {at} of {of}"
    evidence = shortened(f"{other.grade}, {other.join.replace('_', ' ')}  leaf {other.leaf.index}", 40)
    return [
        f"{head}{style.faint(right(evidence, COLUMNS - width(head)))}",
        f"    {shortened(named(other.key), COLUMNS - 4)}",
    ]


def _last(branches: tuple[Branch, ...], place: int) -> bool:
    """Whether no later one hangs on the same parent."""
    depth = branches[place].depth
    for later in branches[place + 1 :]:
        if later.depth <= depth:
            return later.depth < depth
    return True


def _branch(branch: Branch, above: list[bool], last: bool, times: Clock, style: Style) -> list[str]:
    """The credential on its branch, and below it how it is joined, its life, uses and end."""
    stem = "".join("│  " if goes_on else "   " for goes_on in above[:DEEPEST])
    exact = branch.joined is None or branch.joined.grade == "exact"
    turn = "" if branch.depth == 0 else ("└" if last else "├") + ("─ " if exact else "┄ ")
    mark = " ◀ asked for" if branch.asked else ""
    name = shortened(_name(branch), COLUMNS - width(stem) - width(turn) - width(mark))
    first = f"{stem}{turn}{style.strong(name) if branch.asked else name}{style.warn(mark)}"
    indent = stem + ("" if branch.depth == 0 else "   " if last else "│  ")
    below = "    " if branch.depth == 0 else "  "
    room = COLUMNS - width(indent) - len(below)
    rows = [indent + below + line for line in listed(_facts(branch, times), room, "; ")]
    if branch.unshown:
        rows.append(f"{indent}{below}and {counted(branch.unshown, 'more child', 'more children')}")
    return [first, *(style.faint(row) for row in rows)]


def _name(branch: Branch) -> str:
    value = short_key(branch.key)
    whose = branch.who.rpartition(" of ")[2] if " of " in branch.who else branch.who
    return f"{kind(branch.key)} {value}" + (f" of {whose}" if whose and whose not in value else "")


def _facts(branch: Branch, times: Clock) -> list[str]:
    facts: list[str] = []
    if branch.candidates:
        facts.append(f"1 of {counted(branch.candidates, 'candidate parent')}")
    if branch.joined is not None:
        facts.append(f"{branch.joined.grade}, leaf {branch.joined.leaf.index}")
    if not branch.who:
        return [*facts, "no record of it was read"]
    if branch.again:
        return [*facts, "shown above"]
    facts.append(f"issued {times.show(branch.issued_at)}" if branch.issued_at else "no issuance recorded")
    if branch.alive:
        facts.append(f"alive until {times.show(branch.not_after)}" if branch.not_after else "alive, no expiry recorded")
    elif branch.ended:
        when = branch.ended_at or branch.not_after
        facts.append(f"{branch.ended}{f' {times.show(when)}' if when else ''}")
    facts.append(counted(branch.uses, "use") if branch.uses else "never used")
    return facts
