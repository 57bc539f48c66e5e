"""Rotating a glass: what was sealed is ended, and seen to be; another one for the same holders takes its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from custody.broker import ending
from custody.broker.broker import Broker
from custody.broker.desk import Lease, Standing
from custody.broker.glass.names import reason_of
from custody.errors import BackendFailed, StoreError
from custody.model.broker_terms import Intent
from custody.model.brokered import Glass
from custody.pipeline.glass.known import Card, Known
from custody.pipeline.glass.preparing import Prepared, Wish, prepare


class Rotated(msgspec.Struct, frozen=True, kw_only=True):
    """The old credential as it was seen, the new glass, and the ``seq`` at which the log says so."""

    old: Lease
    new: Prepared
    seq: int


async def end(broker: Broker, glass: Known, *, by: str, reason: str) -> Lease:
    """End the credential of a glass, and look. BackendFailed where it was not seen to be gone."""
    done = await ending.by_chain(broker.running, glass.chain, cause="break-glass", by=by, reason=reason_of(reason))
    lease = done.lease
    if lease.standing is not Standing.ENDED:
        raise BackendFailed(
            "the credential was not seen to be gone",
            reason="not-gone",
            where=glass.chain,
            found=f"{lease.standing}, {lease.effect or 'nothing seen'}",
            advice="The broker tries on. Look at the target, then rotate again.",
        )
    return lease


async def rotate(
    broker: Broker,
    glass: Known,
    out: Path,
    keep: Callable[[Card], None],
    *,
    until: int,
    by: str,
    reason: str,
    rotate_by: int | None = None,
) -> Rotated:
    """End the old one first, whatever becomes of the new one; then prepare that and say that it was rotated."""
    wish = msgspec.structs.replace(wish_of(glass, until=until, by=by, reason=reason), rotate_by=rotate_by)
    old = await end(broker, glass, by=by, reason=reason)
    new = await prepare(broker, wish, out, keep)
    body = Glass(step="rotated", glass=glass.card.glass, reason=reason_of(reason), keys=glass.keys)
    entry = await broker.running.say(body, chain=glass.chain)
    return Rotated(old=old, new=new, seq=entry.seq)


def wish_of(glass: Known, *, until: int, by: str, reason: str) -> Wish:
    """The same again: backend, scope and holders as they were. StoreError where the log does not say them."""
    try:
        intent = msgspec.json.decode(glass.intent, type=Intent)
    except msgspec.MsgspecError:
        raise StoreError("what was asked for cannot be read", where=glass.card.glass) from None
    return Wish(
        backend=intent.backend,
        account=glass.account,
        holders=glass.holders,
        until=until,
        reason=reason,
        by=by,
        scope=intent.scope,
        resource=intent.resource,
        audience=intent.audience,
        replaces=glass.card.glass,
    )
