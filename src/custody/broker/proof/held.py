"""Documents of an issuer, held for a bounded time: fetched once for all who wait, again where one is due, never often.

Times are in µs by the broker's clock, which may step. A document from the future is as good as none.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

import msgspec

from custody.broker.proof.refusals import refused
from custody.errors import IdentityRefused

T = TypeVar("T")

SECOND = 1_000_000
LIFETIME = 600 * SECOND
"""How long a document counts as current."""

STALE = 3600 * SECOND
"""How long one is used, since it was fetched, while its issuer gives no newer one."""

APART = 10 * SECOND
"""The shortest time between two fetches: unknown key ids cannot make the broker hammer an issuer."""

STEP = 60 * SECOND
"""How far a document may be in the future: requests that run side by side have times in any order."""


class Kept(msgspec.Struct, Generic[T], frozen=True):
    """A document as it was parsed, and when its fetch began."""

    value: T
    at: int

    def age(self, now: int) -> int:
        """Whole seconds since then."""
        return max(0, now - self.at) // SECOND


class Source(Protocol[T]):
    """Where keys come from."""

    async def get(self, now: int) -> Kept[T]:
        """The document, current where the issuer can be reached. IdentityRefused where there is none to use."""
        ...

    async def newer(self, than: Kept[T], now: int) -> Kept[T]:
        """The document, fetched again where that was not done since ``than`` and not just now."""
        ...


class Held(Generic[T]):
    """One document, its fetch (``load``) and how long it counts (``lifetime`` of the parsed document, in µs)."""

    def __init__(self, load: Callable[[], Awaitable[T]], lifetime: Callable[[T], int] = lambda _: LIFETIME) -> None:
        self._load = load
        self._lifetime = lifetime
        self._kept: Kept[T] | None = None
        self._tried: int | None = None
        self._failed: IdentityRefused | None = None
        self._flight: asyncio.Task[None] | None = None

    async def get(self, now: int) -> Kept[T]:
        """See ``Source``. Who comes while a fetch runs, and may use what is held, does not wait."""
        kept = self._kept
        if kept is not None and -STEP <= now - kept.at < self._lifetime(kept.value):
            return kept
        usable = self._usable(now)
        if usable is not None and (self._flight is not None or self._just_tried(now)):
            return usable
        await self._fetched(now)
        return self._use(now)

    async def newer(self, than: Kept[T], now: int) -> Kept[T]:
        """See ``Source``."""
        if self._kept is than:
            await self._fetched(now)
        return self._use(now)

    def _use(self, now: int) -> Kept[T]:
        usable = self._usable(now)
        if usable is not None:
            return usable
        raise copy.copy(self._failed) if self._failed is not None else refused("issuer-unreachable")

    def _usable(self, now: int) -> Kept[T] | None:
        kept = self._kept
        return kept if kept is not None and -STEP <= now - kept.at < STALE else None

    def _just_tried(self, now: int) -> bool:
        return self._tried is not None and 0 <= now - self._tried < APART

    async def _fetched(self, now: int) -> None:
        """Wait for the fetch that runs, or begin one; it goes on when who began it is gone."""
        if self._flight is None:
            if self._just_tried(now):
                return
            self._tried = now
            self._flight = asyncio.create_task(self._fetch(now))
        await asyncio.shield(self._flight)

    async def _fetch(self, now: int) -> None:
        try:
            self._kept, self._failed = Kept(await self._load(), now), None
        except IdentityRefused as error:
            self._failed = error
        finally:
            self._flight = None
