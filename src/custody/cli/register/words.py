"""Claims and times of the register in the words of its pages."""

from __future__ import annotations

from datetime import UTC, timedelta

from custody.model.times import EPOCH
from custody.register.entry import Entry, Said
from custody.register.times import DAY, State
from custody.reports.safe import plain
from custody.reports.words import LOG, said_by

ORDER = {State.HELD: 0, State.LATER: 1, State.EXPIRED: 2, State.REPLACED: 3}


def ranked(claims: tuple[Said, ...]) -> list[Said]:
    """Claims in the order in which they count: those that hold, by who may say it, signed, sealed first."""
    return sorted(claims, key=lambda one: (ORDER[one.state], not one.vouched, one.signer is None, one.leaf or 0))


def standing(entry: Entry, field: str) -> Said | None:
    """The claim about ``field`` that counts; None where nobody says anything that holds."""
    return next((one for one in ranked(entry.said(field)) if one.state is State.HELD), None)


def who(one: Said) -> str:
    """Who says it and how that is known: ``signed by ann@example.com  payments``."""
    return plain("  ".join(said_by(one.said_by, one.signer, one.field, vouched=one.vouched)))


def where(one: Said) -> str:
    """``leaf operations:120``, nothing where no leaf tells it."""
    return "" if one.leaf is None else f"leaf {LOG}:{one.leaf}"


def provenance(one: Said) -> list[str]:
    """Who says it, where it is sealed, and what is the matter with it: pieces that stay whole."""
    told = [who(one), where(one)]
    if one.contradicted:
        told.append("CONTRADICTED")
    if one.state is not State.HELD:
        told.append(one.state.value)
    return [part for part in told if part]


def day(moment: int | None) -> str:
    """``2026-01-05 10:00:08``: to the second, in UTC; a dash where there is no time."""
    if moment is None:
        return "–"
    try:
        found = EPOCH + timedelta(microseconds=moment)
    except OverflowError:
        return "far away"
    return f"{found.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def date(moment: int) -> str:
    """The day alone where the time is midnight."""
    return day(moment)[: len("2026-01-05")] if moment % DAY == 0 else day(moment)


def end(moment: int) -> str:
    """``through 2026-12-31`` where something ends at midnight, else ``until`` the second."""
    return f"through {date(moment - DAY)}" if moment % DAY == 0 else f"until {day(moment)}"
