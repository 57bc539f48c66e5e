"""The list of the register, 80 columns wide: two to four lines an identity, each claim with who made it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from custody.cli.register.words import day, provenance, standing
from custody.model.keys import names_of
from custody.register.entry import Entry
from custody.reports.safe import plain, shortened, width
from custody.reports.terminal.layout import COLUMNS, listed, right, wrapped
from custody.reports.terminal.style import Style
from custody.reports.words import counted, number, short_key

LABEL = 12
FOUR = ("purpose", "owner", "privileges", "lifecycle")
"""What every identity must have: the answers that somebody asks for first."""


def page(entries: Iterable[Entry], moment: int | None, style: Style) -> Iterator[str]:
    """The lines: the identities first, then how many there are and what is missing, which only then is known."""
    yield _head(moment, style)
    counts: Counter[str] = Counter()
    for one in entries:
        counts["identities"] += 1
        counts["declared"] += one.declared
        counts.update(one.missing)
        yield ""
        yield from _identity(one, style)
    yield ""
    yield from _totals(counts, style)


def _head(moment: int | None, style: Style) -> str:
    when = f"as of {day(moment)} UTC" if moment is not None else "nothing known yet"
    return style.strong("REGISTER") + right(when, COLUMNS - len("REGISTER"))


def _identity(one: Entry, style: Style) -> Iterator[str]:
    alive = sum(each.alive for each in one.lifecycles)
    life = (
        f"{counted(one.credentials, 'credential')}, {number(alive)} alive" if one.credentials else "no credential seen"
    )
    about = f"{one.kind}  {life}"
    name = _name(one.identity, COLUMNS - width(about) - 2)
    gap = max(COLUMNS - width(name) - width(about), 2)
    yield shortened(f"{style.strong(name)}{' ' * gap}{about}", COLUMNS + len(style.strong(name)) - len(name))
    for field in ("owner", "purpose"):
        yield from _claim(one, field, style)
    if not one.declared:
        yield f"  {'seen':<{LABEL - 2}}in the records only; no document declares it"
    if one.missing:
        yield style.warn(f"  {'missing':<{LABEL - 2}}{', '.join(one.missing)}")


def _name(identity: str, room: int) -> str:
    """What the identity is called; where that has no room, a shorter name that ``register show`` takes as well."""
    name, short = plain(short_key(identity)), plain(names_of(identity)[-1])
    return short if width(name) > room >= width(short) else shortened(name, room)


def _claim(one: Entry, field: str, style: Style) -> Iterator[str]:
    said = standing(one, field)
    if said is None:
        return
    value, pieces = plain(said.value), provenance(said)
    told = "  ".join(pieces)
    head = f"  {field:<{LABEL - 2}}"
    if LABEL + width(value) + 2 + width(told) <= COLUMNS:
        yield f"{head}{value}{right(told, COLUMNS - LABEL - width(value))}"
        return
    first, *rest = wrapped(value, COLUMNS - LABEL)
    yield head + first
    yield from (" " * LABEL + line for line in rest)
    yield from (style.faint(right(line, COLUMNS)) for line in listed(pieces, COLUMNS - LABEL, "  "))


def _totals(counts: Counter[str], style: Style) -> Iterator[str]:
    total = counted(counts["identities"], "identity", "identities")
    yield f"{total}, {number(counts['declared'])} of them declared in a document"
    gaps = [f"{name} {number(counts[name])}" for name in FOUR if counts[name]]
    yield style.warn(f"missing: {', '.join(gaps)}") if gaps else "nothing of the four is missing"
