"""What takes a broker: preparing, rotating and ending a glass, each in a session of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from custody.broker.desk import Lease
from custody.broker.glass.names import reason_of
from custody.broker.running import Running
from custody.model.brokered import Glass
from custody.pipeline.glass import known
from custody.pipeline.glass.known import Card, Known
from custody.pipeline.glass.preparing import Prepared, Wish, end_left, prepare
from custody.pipeline.glass.rotating import Rotated, end, rotate
from custody.pipeline.glass.session import Parts, session
from custody.settings.catalog import Settings
from custody.store.reader import Reader


async def prepared(parts: Parts, wish: Wish, out: Path) -> Prepared:
    """Prepare a glass; its file is at ``out`` then, and the log has it."""
    async with session(parts) as running:
        await _tidy(parts, running, wish.by)
        return await prepare(parts.broker, wish, out, _keeping(parts))


async def rotated(
    parts: Parts, name: str, out: Path, *, until: int, by: str, reason: str, rotate_by: int | None = None
) -> Rotated:
    """Rotate a glass, by its id or its file. BackendFailed where the old credential was not seen to be gone."""
    glass = found(parts.settings, name)
    async with session(parts) as running:
        await _tidy(parts, running, by)
        done = await rotate(
            parts.broker, glass, out, _keeping(parts), until=until, by=by, reason=reason, rotate_by=rotate_by
        )
    known.add(parts.settings, glass.card, (glass.card.broker, done.seq))
    return done


async def ended(parts: Parts, name: str, *, by: str, reason: str) -> Lease:
    """End the credential of a glass, with none in its place. BackendFailed where it was not seen to be gone."""
    glass = found(parts.settings, name)
    async with session(parts) as running:
        lease = await end(parts.broker, glass, by=by, reason=reason)
        body = Glass(step="ended", glass=glass.card.glass, reason=reason_of(reason), keys=glass.keys)
        entry = await running.say(body, chain=glass.chain)
    known.add(parts.settings, glass.card, (glass.card.broker, entry.seq))
    return lease


def found(settings: Settings, name: str) -> Known:
    """A glass as the sealed log has it. NotFound."""
    with Reader.open(settings.store) as reader:
        return known.known(reader, known.card_of(settings, name))


def _keeping(parts: Parts) -> Callable[[Card], None]:
    return partial(known.keep, parts.settings)


async def _tidy(parts: Parts, running: Running, by: str) -> None:
    chains = frozenset(each.chain for each in known.cards(parts.settings))
    await end_left(running, chains, by)
