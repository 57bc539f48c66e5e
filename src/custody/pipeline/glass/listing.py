"""Every glass that the index knows, as the log has it: what was done with it, and what is still to be done."""

from __future__ import annotations

import msgspec

from custody.model.times import microseconds
from custody.pipeline.glass.known import Card, Known, Step, cards, known, steps
from custody.settings.catalog import Settings
from custody.store.reader import Reader


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A glass and how it stands: see ``standing_of``."""

    glass: str
    standing: str
    backend: str
    account: str
    holders: tuple[str, ...]
    not_after: str
    chain: str
    steps: tuple[Step, ...]


def listed(settings: Settings, now: int) -> list[Listed]:
    """Every glass, the oldest first. ``now`` is in µs."""
    with Reader.open(settings.store) as reader:
        return [_listed(known(reader, card), steps(reader, card), now) for card in cards(settings)]


def standing_of(done: tuple[Step, ...], not_after: str, now: int) -> str:
    """``reviewed``, ``rotated`` (still to be reviewed), ``opened``, ``ended``, ``expired`` or ``sealed``.

    One that was opened stays so until it is rotated and reviewed, whether or not it has ended meanwhile.
    """
    names = {each.body.step for each in done}
    opened = any(each.body.offline for each in done)
    if "rotated" in names or not opened:
        for step in ("reviewed", "rotated", "ended"):
            if step in names:
                return step
    if opened:
        return "opened"
    return "expired" if (microseconds(not_after) or 0) <= now else "sealed"


def _listed(glass: Known, done: tuple[Step, ...], now: int) -> Listed:
    card: Card = glass.card
    return Listed(
        glass=card.glass,
        standing=standing_of(done, glass.not_after, now),
        backend=glass.backend,
        account=glass.account,
        holders=tuple(each.holder for each in glass.holders),
        not_after=glass.not_after,
        chain=glass.chain,
        steps=done,
    )
