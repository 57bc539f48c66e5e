"""How far an incident reaches, which evidence is missing, the checklists, and steps that change nothing."""

from __future__ import annotations

from collections.abc import Iterable

from custody.model.incident_view import CheckView, IncidentView, ReachedView, ScopeView, TouchedView
from custody.reports.safe import shortened
from custody.reports.terminal.incident_judged import ROOM, judged, told, word
from custody.reports.terminal.layout import COLUMNS, ended, labelled, listed, wrapped
from custody.reports.terminal.style import Style
from custody.reports.words import MARKS, counted, leaf_text, number, span, stamp

CREDENTIALS, IDENTITIES, GAPS, ODD = 4, 4, 3, 2
"""What is listed where a section is folded; all of it is counted."""


def scope(found: ScopeView, style: Style, *, folded: bool) -> list[str]:
    """How far it reaches in counts, then the credentials of it: the living first where they are folded."""
    lines = [line for one in _counts(found) for line in wrapped(one, COLUMNS)]
    members = [each for each in found.credentials if not each.apart]
    if folded:
        members = sorted(members, key=lambda each: not each.alive)[:CREDENTIALS]
        lines += [line for each in members for line in _short(each)]
        left = found.credentials_total - len(members)
        lines += [f"and {counted(left, 'more credential')}, siblings among them"] if left else []
    else:
        lines += [line for each in found.credentials for line in _whole(each)]
        lines += _listed("identities", found.identities) + _listed("runs", found.runs)
        lines += [line for each in found.touched for line in _touched(each)]
        lines += _cut(found)
    lines += [
        style.bad(line) for one in _some(found.surviving, folded) for line in wrapped(f"✗ session open: {one}", COLUMNS)
    ]
    lines += [line for one in found.unknown for line in wrapped(f"nothing was found for {one}", COLUMNS)]
    return [*lines, *(["there is more than is listed: the scope was cut off"] if found.cut_off else [])]


def _counts(found: ScopeView) -> Iterable[str]:
    counts = [counted(found.credentials_total, "credential"), f"{number(found.alive)} alive"]
    counts += [counted(len(found.runs), "run"), counted(len(found.identities), "identity", "identities")]
    yield ", ".join(counts)
    touched = ", ".join(counted(count, kind) for kind, count in found.counts.items())
    yield f"touched: {touched}" if touched else "touched: nothing seen"
    if found.first_success:
        yield f"successes {span(found.first_success, found.last_success)}"


def _short(each: ReachedView) -> list[str]:
    return wrapped(f"{'ALIVE' if each.alive else 'over '} {each.who} ({each.join}: {each.why})", COLUMNS, most=2)


def _whole(each: ReachedView) -> list[str]:
    state = f"{'ALIVE' if each.alive else 'over'}{', sibling' if each.apart else ''}"
    facts = [f"last success {stamp(each.last_success)}" if each.last_success else "no success"]
    facts += [f"ended {stamp(each.ended)}"] if each.ended else []
    facts += [f"runs out {stamp(each.not_after)}"] if each.not_after and not each.ended else []
    lines = [*wrapped(f"{each.who} ({each.join}: {each.why})", ROOM), *wrapped(each.key, ROOM), *listed(facts, ROOM)]
    return labelled(shortened(state, COLUMNS - ROOM - 1), ended(lines, leaf_text(each.leaf), ROOM))


def _touched(each: TouchedView) -> list[str]:
    failed = "" if each.outcome == "success" else f" [{each.outcome}]"
    times = f" ×{number(each.count)}" if each.count > 1 else ""
    lines = [*wrapped(each.name, ROOM), *wrapped(f"{each.event}{times}{failed} by {each.by}", ROOM)]
    lines += wrapped(span(each.first, each.last), ROOM)
    return labelled(shortened(each.what, COLUMNS - ROOM - 1), ended(lines, leaf_text(each.leaf), ROOM))


def _listed(label: str, names: tuple[str, ...]) -> list[str]:
    return labelled(label, listed(names, ROOM)) if names else []


def _cut(found: ScopeView) -> list[str]:
    left = [
        counted(total - shown, f"more {what}")
        for what, total, shown in (
            ("credential", found.credentials_total, len(found.credentials)),
            ("thing that was touched", found.touched_total, len(found.touched)),
        )
        if total > shown
    ]
    return [f"and {', '.join(left)}"] if left else []


def _some(found: tuple[str, ...], folded: bool) -> tuple[str, ...]:
    if not folded or len(found) <= CREDENTIALS:
        return found
    return (*found[:CREDENTIALS], f"and {number(len(found) - CREDENTIALS)} more")


def checks(found: tuple[CheckView, ...], style: Style, *, folded: bool) -> list[str]:
    """The checklist of each identity: every item with its answer, or, where ``folded``, with its mark."""
    if not folded:
        return [line for each in found for line in (shortened(each.identity, COLUMNS), *_items(each, style))]
    lines = [line for each in found[:IDENTITIES] for line in _marks(each)]
    return [*lines, *([f"and {number(len(found) - IDENTITIES)} more identities"] if len(found) > IDENTITIES else [])]


def _items(each: CheckView, style: Style) -> list[str]:
    return [line for item in each.items for line in judged(item, style)]


def _marks(each: CheckView) -> list[str]:
    proved = sum(item.state == "proved" for item in each.items)
    name = shortened(each.identity, 50)
    items = [f"{MARKS.get(item.state, '?')} {item.question} ({word(item)})" for item in each.items]
    head = f"{name}: {number(proved)} of {number(len(each.items))} proved"
    return [head, *(f"  {line}" for line in listed(items, COLUMNS - 2, "  "))]


def missing(view: IncidentView, *, folded: bool) -> list[str]:
    """What evidence is not there, and where it would be."""
    if not view.missing:
        return wrapped(f"not read: {', '.join(view.not_read)}", COLUMNS) if view.not_read else []
    if folded:
        names = [shortened(each.what, COLUMNS // 2) for each in view.missing[:GAPS]]
        left = len(view.missing) - len(names)
        return listed([*names, *([f"and {counted(left, 'more gap')}"] if left else [])], COLUMNS, "  ")
    told = [f"{e.what}{f' (would be in {e.source})' if e.source else ''}: {e.settles}" for e in view.missing]
    return [line for one in told for line in wrapped(one, COLUMNS)]


def odd(view: IncidentView, style: Style, *, folded: bool) -> list[str]:
    """Steps that change nothing, and why."""
    shown = view.odd[-ODD:] if folded else view.odd
    lines = [line for each in shown for line in told("said", each, style, each.what if folded else None)]
    return [*lines, *([f"and {number(len(view.odd) - ODD)} before that"] if len(view.odd) > len(shown) else [])]
