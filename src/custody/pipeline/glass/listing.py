"""Every glass that the index or a broker's log knows: what was done with it, and what is still to be done by when."""

from __future__ import annotations

import msgspec

from custody.model.times import microseconds, text
from custody.pipeline.glass.known import (
    ISSUED,
    REVIEW_BY,
    ROTATE_BY,
    Card,
    Step,
    cards,
    due,
    given,
    known,
    steps,
)
from custody.settings.catalog import Settings
from custody.store.reader import Reader

DAY = 24 * 3_600_000_000
ROTATED, REVIEWED = DAY, 3 * DAY
"""How long after its first use, or its issue, it may take (µs): as the rule ``break-glass-open`` has it."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A glass and how it stands: see ``standing_of``.

    Of one that a broker gave, without a seal: ``backend`` has the keys of the credential, ``account`` who asked for it.

    ``rotate_by``, ``review_by`` and ``approve_by`` are when what is still to be done has to be (RFC 3339); ``overdue``
    names those that are past. Whether people approved what was given is not looked at here: the findings tell it.
    """

    glass: str
    standing: str
    backend: str
    account: str
    holders: tuple[str, ...]
    not_after: str
    chain: str
    steps: tuple[Step, ...]
    rotate_by: str | None = None
    review_by: str | None = None
    approve_by: str | None = None
    overdue: tuple[str, ...] = ()


def listed(settings: Settings, now: int) -> list[Listed]:
    """Every glass, the sealed ones first, then the oldest first. ``now`` is in µs."""
    with Reader.open(settings.store) as reader:
        index = {card.glass: card for card in cards(settings)}
        found = {card.glass: card for card in given(reader)} | index
        every = [(card, steps(reader, card)) for card in found.values()]
        told = [
            _given(reader, card, done, now) if _is_given(done) else _listed(reader, card, done, now)
            for card, done in every
        ]
    return sorted(told, key=lambda each: (each.approve_by is not None, each.glass))


def standing_of(done: tuple[Step, ...], not_after: str, now: int) -> str:
    """``reviewed``, ``rotated`` (still to be reviewed), ``opened``, ``ended``, ``expired`` or ``sealed``.

    One that was opened stays so until it is rotated and reviewed, whether or not it has ended meanwhile. Of one that a
    broker gave: ``given`` or ``reviewed``.
    """
    names = {each.body.step for each in done}
    if ISSUED in names:
        return "reviewed" if "reviewed" in names else "given"
    opened = any(each.body.offline for each in done)
    if "rotated" in names or not opened:
        for step in ("reviewed", "rotated", "ended"):
            if step in names:
                return step
    if opened:
        return "opened"
    return "expired" if (microseconds(not_after) or 0) <= now else "sealed"


def _is_given(done: tuple[Step, ...]) -> bool:
    return any(each.body.step == ISSUED for each in done)


def _listed(reader: Reader, card: Card, done: tuple[Step, ...], now: int) -> Listed:
    glass = known(reader, card)
    names = {each.body.step for each in done}
    used = next((microseconds(each.at) for each in done if each.body.offline and each.body.step != "reviewed"), None)
    sealed = due(reader, card, ROTATE_BY)
    rotate = min((each for each in (microseconds(sealed), _after(used, ROTATED)) if each is not None), default=None)
    gone = "rotated" in names or any(each.body.step == "ended" and not each.body.offline for each in done)
    rotate_by = None if gone else text(rotate)
    review_by = None if "reviewed" in names else text(_after(used, REVIEWED))
    return Listed(
        glass=card.glass,
        standing=standing_of(done, glass.not_after, now),
        backend=glass.backend,
        account=glass.account,
        holders=tuple(each.holder for each in glass.holders),
        not_after=glass.not_after,
        chain=glass.chain,
        steps=done,
        rotate_by=rotate_by,
        review_by=review_by,
        overdue=_overdue(now, rotate=rotate_by, review=review_by),
    )


def _given(reader: Reader, card: Card, done: tuple[Step, ...], now: int) -> Listed:
    own = next(each for each in done if each.body.step == ISSUED)
    reviewed = any(each.body.step == "reviewed" for each in done)
    review_by = None if reviewed else text(_after(microseconds(own.at), REVIEWED))
    return Listed(
        glass=card.glass,
        standing=standing_of(done, own.body.not_after or "", now),
        backend=", ".join(own.body.keys),
        account=", ".join(own.body.people),
        holders=(),
        not_after=own.body.not_after or "",
        chain=card.chain,
        steps=done,
        review_by=review_by,
        approve_by=due(reader, card, REVIEW_BY),
        overdue=_overdue(now, review=review_by),
    )


def _after(moment: int | None, length: int) -> int | None:
    return None if moment is None else moment + length


def _overdue(now: int, **by: str | None) -> tuple[str, ...]:
    return tuple(name for name, moment in by.items() if moment is not None and (microseconds(moment) or 0) < now)
