"""A broker while it runs: its state in memory, the way to say something, and the writing behind into the tables."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import ParamSpec, TypeVar

from custody.broker.backends.backend import Backend, Secret
from custody.broker.desk import Handed, Lease
from custody.broker.parts import Parts
from custody.broker.reachable import Reachable
from custody.broker.state.fold import State
from custody.broker.state.tables import OVER, Changes, Loaded
from custody.errors import EvidenceUnavailable, NotFound
from custody.model.brokered import Body, Entry, Issued, Request

P = ParamSpec("P")
R = TypeVar("R")

REMEMBERED = 60_000_000
"""How long (µs) a credential that was handed over is remembered for a repetition with the same idempotency key."""
MOST_REMEMBERED = 10_000
OPENS = ("password", "access_token", "secret_access_key")
"""What the field of a credential is called that opens something."""


class Running:
    """What the broker's rooms share. One event loop; nothing here is for other threads."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.state = State()
        self.reachable = Reachable()
        self.open = self.serving = False
        self.unsaved: list[Changes] = []
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}
        self._handed: dict[str, tuple[int, Handed]] = {}
        self._steady = self._last = 0
        self._deadlines: dict[str, int] = {}
        self._writing = asyncio.Lock()
        self.unwanted: dict[str, int] = {}
        self.loaded: Loaded | None = None
        self._beside: set[asyncio.Future[object]] = set()

    async def load(self) -> Loaded:
        """Take the tables over, and give what they have. A journal that ends before ``through`` was set back."""
        if self.loaded is None:
            self.loaded = await asyncio.to_thread(self.parts.tables.load, self.now())
        return self.loaded

    async def start(self) -> None:
        """Take up where the last broker stopped: the tables, and what the log says beyond them.

        From here on it can say things; it serves only when ``serving`` is set.
        """
        loaded = await self.load()
        self.state = State(loaded)
        for entry in self.parts.evidence.entries(loaded.through):
            for chain in (entry.chain, entry.body.renews if isinstance(entry.body, Issued) else None):
                if chain is not None and not isinstance(entry.body, Request):
                    with suppress(NotFound):
                        self.state.adopt(await self.lease(chain))
            self.state.apply(entry)
        self.parts.evidence.watch(self._seen)
        self.open = True

    def now(self) -> int:
        """The time (µs) by the broker's clock, which may step."""
        now = self.parts.clock.now()
        self._steady += max(0, now - self._last) if self._last else 0
        self._last = now
        return now

    def over(self, lease: Lease) -> bool:
        """Whether a lease's time is over: by the clock, or because as much time has passed here as it had left.

        A clock that is set back must not make anything live longer.
        """
        now = self.now()
        deadline = self._deadlines.setdefault(lease.chain, self._steady + max(0, lease.not_after - now))
        return lease.not_after <= now or deadline <= self._steady

    def check_serving(self) -> None:
        """EvidenceUnavailable where this broker stands by, or has stopped."""
        if not self.serving:
            raise EvidenceUnavailable(
                "this broker stands by: another one issues", reason="standby", advice="Ask again in a moment."
            )

    async def say(self, body: Body, *, chain: str | None = None) -> Entry:
        """Seal what is said; the state has it when this returns."""
        if not self.open:
            self.check_serving()
        return await self.parts.evidence.append(body, chain=chain)

    async def lease(self, chain: str, *, keep: bool = False) -> Lease:
        """A lease, from memory or the tables; ``keep`` takes it into memory, for who will say something of it.

        NotFound.
        """
        found = self.state.leases.get(chain)
        if found is None:
            found = await asyncio.to_thread(self.parts.tables.lease, chain)
            found = self.state.leases.get(chain, found)
            if found is not None and keep and found.standing not in OVER:
                found = self.state.adopt(found)
        if found is None:
            raise NotFound("there is no such lease", where=chain[:64])
        return found

    def backend(self, name: str) -> Backend | None:
        """The backend of a name."""
        return self.parts.backends.get(name)

    async def call(self, backend: Backend, what: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a backend's method: here where it is quick, else in a thread. How it went is remembered."""
        with self.reachable.watching(backend, getattr(what, "__name__", ""), self.now):
            return what(*args, **kwargs) if backend.quick else await asyncio.to_thread(what, *args, **kwargs)

    @asynccontextmanager
    async def alone(self, chain: str) -> AsyncIterator[None]:
        """Do one thing at a time with a chain."""
        lock, users = self._locks.get(chain, (asyncio.Lock(), 0))
        self._locks[chain] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks[chain]
            if users == 1:
                del self._locks[chain]
            else:
                self._locks[chain] = (lock, users - 1)

    @contextmanager
    def unwanting(self, chain: str) -> Iterator[None]:
        """Meanwhile somebody wants the end of a chain: who is just making its credential hands nothing over."""
        self.unwanted[chain] = self.unwanted.get(chain, 0) + 1
        try:
            yield
        finally:
            self.unwanted[chain] -= 1
            if not self.unwanted[chain]:
                del self.unwanted[chain]

    def remember(self, key: str, handed: Handed) -> None:
        """Keep a credential in memory for a moment, for the same request again; the oldest goes for the newest."""
        now = self.now()
        while self._handed and (len(self._handed) >= MOST_REMEMBERED or next(iter(self._handed.values()))[0] <= now):
            del self._handed[next(iter(self._handed))]
        self._handed[key] = (now + REMEMBERED, handed)

    def remembered(self, key: str) -> Handed | None:
        """What was handed over a moment ago for this key."""
        until, handed = self._handed.get(key, (0, None))
        return handed if until > self.now() else None

    def secret_of(self, chain: str) -> Secret | None:
        """The secret of a credential that was handed over a moment ago: the one that opens something."""
        handed = next((each for _, each in self._handed.values() if each.chain == chain), None)
        names = () if handed is None else (each for each in OPENS if each in handed.secrets)
        return next((handed.secrets[each] for each in names if handed is not None), None)

    def spawn(self, work: Coroutine[object, object, object]) -> None:
        """Do something beside; what goes wrong there is the reaper's to do again."""
        task = asyncio.ensure_future(work)
        self._beside.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Future[object]) -> None:
        self._beside.discard(task)
        if not task.cancelled():
            task.exception()

    async def write_behind(self) -> int:
        """Write what changed into the tables; gives up to which seq they have it. StoreError: it is tried again."""
        async with self._writing:
            changes = self.state.drain()
            if changes is not None:
                self.unsaved.append(changes)
            saved = 0
            while self.unsaved:
                await asyncio.to_thread(self.parts.tables.save, self.unsaved[0])
                done = self.unsaved.pop(0)
                saved = done.through
                self.state.let_go(self.now(), done, {each.removeprefix("renew ") for each in self._locks})
                for chain in [each.chain for each in done.leases if each.chain not in self.state.leases]:
                    self._deadlines.pop(chain, None)
            return saved

    def _seen(self, entry: Entry) -> None:
        """Follow the log. What does not continue what is known ends the journal: the tables know of later entries."""
        if entry.seq != self.state.through + 1:
            raise EvidenceUnavailable(
                "the journal does not continue what the tables know",
                reason="journal-set-back",
                found=f"seq {entry.seq}",
                expected=f"seq {self.state.through + 1}",
                advice="A journal that was restored from a copy is not gone on with: restore it whole.",
            )
        self.state.apply(entry)
