"""One identity of the register, 80 columns wide: everything that is known of it, each line with who says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from custody.cli.register.words import date, day, end, provenance, ranked
from custody.model.times import duration
from custody.register.entry import Dependency, Entry, Granted, Life, Lifecycle, Name, Said, Touched
from custody.register.times import State
from custody.reports.safe import plain, shortened, width
from custody.reports.terminal.layout import COLUMNS, LABEL, labelled, listed, right, wrapped
from custody.reports.terminal.style import Style
from custody.reports.words import LOG, counted, granted_since, number, short_key

ROOM = COLUMNS - LABEL
MOST = 20
"""Lines of one kind that are written out, at most: ``--json`` has all."""

CLAIMED = (
    "owner", "deputy", "purpose", "risk", "environment", "repository", "pipeline", "workload", "resource", "exception",
)  # fmt: skip
"""The fields of claims in the order of the page; kind, dependency and privilege stand elsewhere."""

DATED = ("owner", "deputy", "purpose", "privilege", "exception")


def entry_page(one: Entry, moment: int | None, style: Style) -> str:
    """The whole page."""
    lines = [*_head(one, moment, style)]
    for field in CLAIMED:
        lines += _titled(field.upper(), _claims(one.said(field)), style)
    for title, found in (
        ("PRIVILEGES", [*_claims(one.said("privilege")), *_grants(one.privileges)]),
        ("LIFECYCLE", [line for each in one.lifecycles for line in _lifecycle(each)]),
        ("CREDENTIALS", [line for each in one.lives for line in _life(each, moment)]),
        ("TOUCHES", [line for each in one.touched for line in _touched(each)]),
        ("DEPENDS ON", [line for each in one.dependencies for line in _dependency(each)]),
        ("NAMES", [line for each in one.names for line in _name(each)]),
        ("BEFORE", _claims([each for each in one.claims if each.state is State.REPLACED])),
    ):
        lines += _titled(title, found, style)
    told = f"{', '.join(one.missing)}: nobody says, or nothing shows" if one.missing else "nothing of the four"
    lines += _titled("MISSING", [style.warn(told) if one.missing else told], style)
    return "\n".join(lines) + "\n"


def _head(one: Entry, moment: int | None, style: Style) -> Iterator[str]:
    when = f"as of {day(moment)} UTC" if moment is not None else ""
    name = shortened(plain(one.identity), COLUMNS - width(when) - 2)
    yield style.strong(name) + right(when, COLUMNS - width(name))
    known = "declared" if one.declared else "seen only: no document declares it"
    about = [one.kind, one.population or "never seen", one.account or "", known]
    yield shortened(plain("  ".join(part for part in about if part)), COLUMNS)
    if one.first_seen is not None:
        leaf = "" if one.leaf is None else f"  leaf {LOG}:{one.leaf}"
        yield f"seen {day(one.first_seen)} – {day(one.last_seen)} UTC{leaf}"


def _titled(title: str, lines: Sequence[str], style: Style) -> list[str]:
    if not lines:
        return []
    shown = list(lines[:MOST])
    if len(lines) > MOST:
        shown.append(f"… {number(len(lines) - MOST)} more lines: --json")
    first, *rest = labelled(title, shown)
    return ["", style.strong(title) + first[len(title) :], *rest]


def _beside(text: str, *notes: str) -> list[str]:
    """``text`` with ``notes`` at the right edge; on lines of their own where they do not fit beside each other."""
    note = "  ".join(part for part in notes if part)
    if width(text) + width(note) + 2 <= ROOM:
        return [f"{text}{right(note, ROOM - width(text))}" if note else text]
    return [*wrapped(text, ROOM), *(right(line, ROOM) for line in listed(notes, ROOM, "  "))]


def _claims(claims: Iterable[Said]) -> list[str]:
    return [line for each in ranked(tuple(claims)) for line in _claim(each)]


def _claim(one: Said) -> Iterator[str]:
    value = plain(one.value)
    if one.state is State.REPLACED:
        value = f"{one.field}: {value}"
    yield from _beside(value, *provenance(one))
    found = "; ".join(part for part in _times(one) if part)
    yield from (f"  {line}" for line in wrapped(found, ROOM - 2) if found)


def _times(one: Said) -> Iterator[str]:
    """When it holds and since when it is known, of what people ask for first or what no longer holds; and its note."""
    if one.field in DATED or one.state is not State.HELD:
        yield f"from {date(one.since)}" if one.since is not None else ""
        yield end(one.expires) if one.expires is not None else ""
        yield f"known since {date(one.known_at)}" if one.known_at is not None else ""
        yield f"replaced {date(one.superseded_at)}" if one.superseded_at is not None else ""
    yield plain(one.note or "")


def _grants(found: Sequence[Granted] | None) -> list[str]:
    if found is None:
        return []
    return [line for each in found for line in _grant(each)]


def _grant(one: Granted) -> Iterator[str]:
    through = f" through {plain(one.through)}" if one.through else ""
    leaf = "" if one.leaf is None else f"leaf {LOG}:{one.leaf}"
    what = f": {plain(one.what)}" if one.what else ""
    yield from _beside(f"{one.kind}{what}{through}", leaf)
    by = f"given by {plain(one.by_principal)}" if one.by_principal else ""
    approved = f"approved by {plain(one.approver)}" if one.approver else "no approval seen"
    since = granted_since(one.since_how, None if one.since is None else day(one.since))
    told = "; ".join(part for part in (since, by, approved) if part)
    yield from (f"  {line}" for line in wrapped(told, ROOM - 2))


def _lifecycle(one: Lifecycle) -> Iterator[str]:
    lives = ""
    if one.longest is not None and one.shortest is not None:
        short, long = duration(one.shortest), duration(one.longest)
        lives = f", lives {short}" if short == long else f", lives {short} to {long}"
    endless = f", {number(one.endless)} without an end" if one.endless else ""
    counts = f"{one.kind}: {counted(one.credentials, 'credential')}, issue of {number(one.issued)} recorded"
    yield from wrapped(f"{counts}{lives}{endless}", ROOM)
    told = [f"{number(one.alive)} alive", f"{number(one.ended)} ended", f"{number(one.renewed)} renewed"]
    told += [f"last used {day(one.last_used)}" if one.last_used is not None else "never used"]
    yield from (f"  {line}" for line in wrapped(", ".join(told), ROOM - 2))


def _life(one: Life, moment: int | None) -> Iterator[str]:
    over = one.ended is not None or (one.not_after is not None and moment is not None and one.not_after <= moment)
    yield from _beside(plain(short_key(one.key)), "over" if over else "alive")
    told = [f"issued {day(one.issued_at)}" if one.issued_at is not None else "issue not recorded"]
    told += [f"until {day(one.not_after)}" if one.not_after is not None else "no end set"]
    told += [f"last used {day(one.last_use)}" if one.last_use is not None else "never used"]
    told += [f"{one.end_effect} {day(one.ended)}" if one.ended is not None else ""]
    leaves = [leaf for leaf in (one.issue_leaf, one.first_use_leaf, one.end_leaf) if leaf is not None]
    told += [f"leaves {LOG}:{' '.join(map(str, dict.fromkeys(leaves)))}" if leaves else ""]
    yield from (f"  {line}" for line in wrapped("; ".join(part for part in told if part), ROOM - 2))


def _touched(one: Touched) -> Iterator[str]:
    denied = f", {number(one.denied)} denied" if one.denied else ""
    yield from _beside(f"{one.what} {plain(one.name)}", f"{counted(one.uses, 'use')}{denied}  leaf {LOG}:{one.leaf}")


def _dependency(one: Dependency) -> Iterator[str]:
    if one.declared and one.observed:
        how = "declared and seen"
    else:
        how = "declared, never seen" if one.declared else "seen, not declared"
    yield from _beside(plain(one.dependency), how + ("" if one.leaf is None else f"  leaf {LOG}:{one.leaf}"))


def _name(one: Name) -> Iterator[str]:
    yield from _beside(plain(one.name), one.how + ("" if one.leaf is None else f"  leaf {LOG}:{one.leaf}"))
