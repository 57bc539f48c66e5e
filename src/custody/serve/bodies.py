"""Bodies of requests: no larger than they may be, and sent within their time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from time import monotonic

from litestar.types import Receive

from custody.errors import IntentRefused

SLOWEST = 16 << 10
"""Bytes a second that a large body must come with on average."""


class Gone(Exception):
    """The caller went away before the request was whole: there is nobody to answer."""


def declared(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bool, int | None]:
    """Whether a request has a body at all, and the length that it declares (None: it comes in chunks)."""
    length: int | None = None
    chunked = False
    for name, value in headers:
        if name == b"content-length":
            length = int(value) if value.isdigit() else 0
        elif name == b"transfer-encoding":
            chunked = True
    return chunked or bool(length), None if chunked else length


def too_large(most: int) -> IntentRefused:
    """The refusal of a body over ``most`` bytes."""
    return IntentRefused("the body is too large", reason="too-large", expected=f"at most {most} bytes")


def too_slow(seconds: float) -> IntentRefused:
    """The refusal of a body that did not come in time."""
    return IntentRefused("the body did not come in time", reason="too-slow", expected=f"all of it in {seconds:g} s")


async def whole(receive: Receive, length: int | None, most: int, seconds: float) -> bytes:
    """A body, all of it. IntentRefused (``too-large``, ``too-slow``); Gone where the caller went away."""
    if length is not None and length > most:
        raise too_large(most)
    parts: list[bytes] = []
    held = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                part, more = await _next(receive)
                held += len(part)
                if held > most:
                    raise too_large(most)
                parts.append(part)
                if not more:
                    return parts[0] if len(parts) == 1 else b"".join(parts)
    except TimeoutError:
        raise too_slow(seconds) from None


async def streamed(receive: Receive, most: int, seconds: float) -> AsyncIterator[bytes]:
    """A large body in parts: each within ``seconds``, all of it at ``SLOWEST`` bytes a second or faster."""
    begun = monotonic()
    held = 0
    more = True
    while more:
        try:
            async with asyncio.timeout(seconds):
                part, more = await _next(receive)
        except TimeoutError:
            raise too_slow(seconds) from None
        held += len(part)
        if held > most:
            raise too_large(most)
        if monotonic() - begun > seconds + held / SLOWEST:
            raise too_slow(seconds)
        if part:
            yield part


async def _next(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] != "http.request":
        raise Gone
    return message.get("body", b""), message.get("more_body", False)
