"""The body of a pushed log as it comes in: within its limits, in its time, unpacked where it is packed."""

from __future__ import annotations

from collections.abc import AsyncIterator

from custody.errors import IntentRefused
from custody.serve.bodies import declared, streamed, too_large
from custody.serve.passage import Asked, shop_of
from custody.serve.people import values_of
from custody.serve.spool import unpacked


def body_of(asked: Asked) -> AsyncIterator[bytes]:
    """The body in parts. IntentRefused, at once or while it is read: too large, too slow, not an encoding."""
    limits = shop_of(asked).parts.limits
    has, length = declared(asked.scope["headers"])
    if length is not None and length > limits.intake:
        raise too_large(limits.intake)
    parts = streamed(asked.receive, limits.intake, limits.slow) if has else _nothing()
    coding = ",".join(values_of(asked.scope, b"content-encoding")).strip().lower()
    if coding in ("gzip", "x-gzip"):
        return unpacked(parts, limits.intake)
    if coding not in ("", "identity"):
        raise IntentRefused("not an encoding that is taken here", reason="content-encoding", expected="gzip")
    return parts


async def short_of(asked: Asked) -> bytes:
    """A body that is looked into, all of it: no longer than any other request's. IntentRefused where it is empty."""
    most = shop_of(asked).parts.limits.body
    held = bytearray()
    async for part in body_of(asked):
        held += part
        if len(held) > most:
            raise too_large(most)
    return bytes(held)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield
