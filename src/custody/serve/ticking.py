"""What a broker does again and again beside its requests: each by itself, so that one that fails stops no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from custody.errors import CustodyError

Tick = Callable[[], Awaitable[object]]
Failed = Callable[[str, str], None]
"""Told of a tick that failed: its name, and why in words without secrets."""

SLOWEST = 16
"""How many times longer than usual the pause gets while a tick fails."""


class Ticking:
    """Runs ticks until it is stopped."""

    def __init__(self, failed: Failed) -> None:
        self._failed = failed
        self._tasks: list[asyncio.Task[None]] = []

    def every(self, seconds: float, name: str, tick: Tick) -> None:
        """Do ``tick``, pause, and so on."""
        self._tasks.append(asyncio.ensure_future(self._run(seconds, name, tick)))

    async def stop(self) -> None:
        """Stop them all; what one is at is cut off."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, seconds: float, name: str, tick: Tick) -> None:
        slower = 1
        while True:
            await asyncio.sleep(seconds * slower)
            (done,) = await asyncio.gather(tick(), return_exceptions=True)  # whatever it is, the next turn comes
            if isinstance(done, Exception):
                slower = min(SLOWEST, 2 * slower)
                why = str(done) if isinstance(done, (CustodyError, OSError)) else "unforeseen"
                self._failed(name, f"{type(done).__name__}: {why}")
            else:
                slower = 1
