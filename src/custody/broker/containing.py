"""Containment: nothing is issued to an identity, what lives is ended, and it stays so until a checklist is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from custody.broker import ending
from custody.broker.desk import Item, Lease, Person, Standing
from custody.broker.running import Running
from custody.broker.state.tables import OVER, as_of
from custody.errors import NotFound, PolicyDenied
from custody.model.brokered import Contained, Enabled

ENDS = (Standing.LIVE, Standing.PLANNED, Standing.ENDING, Standing.SURVIVING)
"""How the leases stand that a containment ends."""


async def contain(
    running: Running, person: Person, identity: str, *, reason: str, incident: str | None = None
) -> list[Lease]:
    """Seal the containment first, so that nothing is issued any more, then end what lives."""
    if not running.parts.register.knows(identity) and not await open_of(running, identity):
        raise NotFound(
            "no identity of the register has this id, and no lease is of it",
            where=identity[:200],
            advice="GET /leases shows the ids of those who hold something, custody register list all of them.",
        )
    if identity not in running.state.contained:
        await running.say(Contained(identity=identity, by=person.key, reason=reason, incident=incident))
    return await end_all(running, identity, by=person.key, reason=reason)


async def end_all(running: Running, identity: str, *, by: str, reason: str) -> list[Lease]:
    """End every credential of an identity, and what descends from each."""
    chains = [each.chain for each in await open_of(running, identity) if each.standing in ENDS]
    ended = await ending.several(running, chains, cause="containment", by=by, reason=reason)
    for chain in chains:
        ended += await ending.cascade(running, chain, by=by)
    return ended


async def open_of(running: Running, identity: str) -> list[Lease]:
    """The leases of an identity that are not over, from memory and tables."""
    now = running.now()
    rows = await asyncio.to_thread(running.parts.tables.held_by, identity, now=now)
    found = {each.chain: running.state.leases.get(each.chain, each) for each in rows}
    found |= {
        each.chain: each for each in running.state.leases.values() if identity in (each.identity, *each.identities)
    }
    return [each for _, each in sorted(found.items()) if as_of(each, now).standing not in OVER]


async def checklist(running: Running, identity: str, person: Person | None = None) -> list[Item]:
    """What re-enablement needs, and what of it is shown. NotFound where the identity is not contained."""
    contained = running.state.contained.get(identity)
    if contained is None:
        raise NotFound("the identity is not contained", where=identity[:200])
    left = await open_of(running, identity)
    leaf = running.parts.register.signed_since(identity, contained.since)
    return [
        _item("credentials-ended", not left, _left(left)),
        _item(
            "owner-signed", leaf is not None, f"operations:{leaf}" if leaf is not None else "no signed document since"
        ),
        _item(
            "another-person",
            person is not None and person.key != contained.by,
            f"contained by {contained.by}" + ("" if person is None else f", enabled by {person.key}"),
        ),
    ]


async def enable(running: Running, person: Person, identity: str, *, reason: str) -> list[Item]:
    """End a containment. PolicyDenied where an item of the checklist is open."""
    items = await checklist(running, identity, person)
    missing = [each.item for each in items if each.grade == "open"]
    if missing:
        raise PolicyDenied(
            "the checklist is not shown",
            reason="checklist-open",
            where=identity,
            found=", ".join(missing),
            advice="Every item has to be shown before anything is issued again.",
        )
    shown = tuple((each.item, each.grade, each.shown_by) for each in items)
    await running.say(Enabled(identity=identity, by=person.key, reason=reason, items=shown))
    return items


def _item(item: str, shown: bool, by: str) -> Item:
    return Item(item=item, grade="proved" if shown else "open", shown_by=by)


def _left(left: list[Lease]) -> str:
    return ", ".join(_named(left)) or "no lease of it is open"


def _named(left: list[Lease]) -> Iterator[str]:
    for lease in left[:5]:
        yield f"{lease.chain} {lease.standing}"
    if len(left) > 5:
        yield f"and {len(left) - 5} more"
