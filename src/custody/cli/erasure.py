"""Erasures and holds, as text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from custody.reports.safe import plain

if TYPE_CHECKING:
    from custody.pipeline.erasing.erase import Erased
    from custody.pipeline.erasing.hold import Hold, Scope

WIDTH = 80
INDENT = 12
SHOWN = 10
"""Names that the hold of an incident shows."""


def described(done: Erased) -> str:
    """What went, or would go, what is held, and where the log says so."""
    word = "would go" if done.dry_run else "erased"
    lines = [_row(word, f"{_counted(done.records, 'record')} of {_counted(done.segments, 'segment')}")]
    lines += [_row("", f"{count:,} of {plain(source)}") for source, count in done.sources.items()]
    if done.first is not None:
        lines.append(_row("events", f"{done.first} to {done.last}"))
    for each in done.held:
        owner = f", {plain(each.owner)}" if each.owner else ""
        lines.append(_row("held", f"{each.records:,} by {plain(each.name)}{owner}: {plain(each.reason)}"))
    if done.held and done.dry_run:
        lines.append(_row("", "without --except-held nothing would be erased"))
    if done.empty:
        lines.append(_row("empty", f"{done.empty:,} chosen had no bytes: withheld, or erased before"))
    lines.append(_row("reason", plain(done.reason)))
    if done.statements:
        first, last = done.statements[0], done.statements[-1]
        lines.append(_row("sealed", f"leaf {first}" if first == last else f"leaves {first} to {last}"))
        lines.append(_row("stays", "entries, hashes and proofs; copies in backups and snapshots are yours to end"))
    return "\n".join(lines)


def held(one: Hold) -> str:
    """One hold."""
    lines = [
        f"{plain(one.name)}  {_state(one)}",
        _row("covers", covers(one.scope) if one.incident is None else _reach(one)),
        _row("reason", plain(one.reason)),
        _row("since", f"{one.at} by {plain(one.by)}, leaf {one.leaf}"),
    ]
    if one.owner is not None:
        lines.insert(3, _row("owner", plain(one.owner)))
    if one.released is not None:
        lines.append(_row("released", f"{plain(one.release_reason or '')}, leaf {one.release_leaf}"))
    return "\n".join(lines)


def _state(one: Hold) -> str:
    if one.released is not None:
        return f"released {one.released}"
    if one.incident is None:
        return "in force"
    return "in force while the incident is open" if one.until is None else f"in force until {one.until}"


def _reach(one: Hold) -> str:
    """What the hold of an incident covers: what its steps cite, and all that it reaches from what they name."""
    named = [*one.named[:SHOWN], *([f"and {len(one.named) - SHOWN} more"] if len(one.named) > SHOWN else [])]
    cited = covers(one.scope)
    reach = (
        f"all that incident {plain(one.incident or '')} reaches from {', '.join(map(plain, named)) or 'nothing yet'}"
    )
    return f"{reach}; {cited}" if cited else reach


def listed(holds: Sequence[Hold]) -> str:
    """Every hold, or that there is none."""
    return "\n".join(map(held, holds)) if holds else "no hold is in force"


def covers(scope: Scope) -> str:
    """What a hold covers, in words."""
    if scope.everything:
        return "everything"
    leaves = [str(first) if end - first == 1 else f"{first}-{end - 1}" for first, end in scope.leaves]
    named = [
        *(f"identity {plain(each)}" for each in scope.identities),
        *(f"credential {plain(each)}" for each in scope.credentials),
        *(f"leaf {each}" for each in leaves),
        *(f"source {plain(each)}" for each in scope.sources),
        *(f"{since} to {until}" for since, until in scope.periods),
    ]
    return "; ".join(named)


def _row(name: str, told: str) -> str:
    first, *rest = textwrap.wrap(told, WIDTH - INDENT, break_on_hyphens=False) or [""]
    return "\n".join([f"{name:<{INDENT}}{first}", *(" " * INDENT + line for line in rest)])


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
