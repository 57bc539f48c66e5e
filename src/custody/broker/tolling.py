"""Refusals of callers whose identity was not proved: the first ones line by line, more of the same in one line.

Anybody can make a broker refuse them as often as they like. What is alike (same reason, same origin) beyond ``EACH`` in
``WINDOW`` is counted, and sealed as one line with its count when the window is over, or when the broker stops: the
counts of all lines together are the number of refusals. A crash loses what the open windows have counted so far.
"""

from __future__ import annotations

import msgspec

from custody.broker.running import Running
from custody.errors import CustodyError
from custody.model.brokered import Refused

EACH = 10
"""Alike refusals in a window that have a line each."""
WINDOW = 60_000_000
"""µs."""
MOST = 10_000
"""Windows that are kept: the oldest is sealed for a new one, so that many origins fill no memory."""


class Window(msgspec.Struct, kw_only=True):
    """Alike refusals since ``since`` (µs): how many had a line, and how many are only counted."""

    since: int
    lines: int = 0
    counted: int = 0


class Refusals:
    """The windows that are open. One event loop."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._windows: dict[tuple[str, str], Window] = {}

    async def add(self, body: Refused) -> None:
        """Seal a refusal, or count it for the line of its window. EvidenceUnavailable."""
        now, key = self._running.now(), (body.reason, body.origin or "")
        window = self._windows.get(key)
        if window is not None and _over(window, now):
            await self._close(key)
            window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = Window(since=now)
            if len(self._windows) > MOST:
                await self._close(next(iter(self._windows)))
        if window.lines >= EACH:
            window.counted += 1
            return
        window.lines += 1
        await self._running.say(body)

    async def tick(self) -> None:
        """Seal what was counted in the windows that are over."""
        now = self._running.now()
        for key in [key for key, window in self._windows.items() if _over(window, now)]:
            await self._close(key)

    async def stop(self) -> None:
        """Seal what was counted so far."""
        for key in list(self._windows):
            await self._close(key)

    async def _close(self, key: tuple[str, str]) -> None:
        """Seal the count of a window. What cannot be sealed is counted on."""
        window = self._windows.pop(key, None)
        if window is None or not window.counted:
            return
        reason, origin = key
        body = Refused(
            reason=reason,
            detail=f"as often more than the {EACH} that have a line each, within a minute",
            origin=origin or None,
            count=window.counted,
        )
        try:
            await self._running.say(body)
        except CustodyError:
            later = self._windows.setdefault(key, Window(since=window.since, lines=EACH))
            later.counted += window.counted
            raise


def _over(window: Window, now: int) -> bool:
    """Also where the clock was set back: a window never lasts longer than it should by that."""
    return not 0 <= now - window.since < WINDOW
