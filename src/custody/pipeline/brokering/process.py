"""The sealing process as the broker's event loop sees it: hand over, wait, and see how far it is behind.

One order is under way at a time; what comes meanwhile gathers for the next one. A child that ends is started again and
given the same order: sealing is idempotent. What cannot be sealed now is tried again until it can, so a broker looks at
``health().lag`` and stops issuing when that grows too long.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import cast

from custody.broker.evidence.epochs import Epoch
from custody.pipeline.brokering.child import Order, Reply, serve
from custody.pipeline.brokering.orders import Health, Orders
from custody.pipeline.brokering.sealing import WAIT, Pushed, Taken
from custody.settings.catalog import Settings

BACKOFF = (0.1, 5.0)
"""Seconds before what failed is tried again: at first, and at most."""
GRACE = 10.0
"""Seconds in which the last epochs are to be sealed when the broker stops."""


class _Ended(Exception):
    """The child ended without an answer."""


class Sealing:
    """The child and its work. ``start`` it in the event loop that uses it; ``close`` ends the child.

    ``derive_every``: seconds between two derivations while there is something new (it is also done when nothing is
    going on); 0: only when asked. ``wait``: seconds that another writer of the store is waited for in one try.
    """

    def __init__(self, settings: Settings, broker: str, *, derive_every: float = 300.0, wait: float = WAIT) -> None:
        self._arguments = (settings, broker, wait, os.getpid())
        self._derive_every = derive_every
        self._news, self._stop = asyncio.Event(), False
        self._child: tuple[SpawnProcess, Connection] | None = None
        self._started: tuple[Orders, asyncio.Task[None]] | None = None

    async def start(self) -> None:
        """Start the child, in this thread: the kernel ends it with the thread that made it."""
        orders = Orders(asyncio.get_running_loop().time, self._derive_every)
        self._child = self._spawn()
        self._started = (orders, asyncio.create_task(self._run(orders), name="custody-sealing"))

    async def close(self, grace: float = GRACE) -> None:
        """Seal what waits, for ``grace`` seconds at most, and end the child. What is left is for the next start."""
        if self._started is None:
            return
        self._stop = True
        self._news.set()
        orders, task = self._started
        await asyncio.wait({task}, timeout=grace)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        self._started = None
        orders.let_go()
        await self._end()

    def offer(self, epochs: Iterable[Epoch]) -> None:
        """Hand over closed epochs, in order; those that it has or had are passed over."""
        self._orders.offer(epochs)
        self._news.set()

    async def sealed(self, seq: int) -> None:
        """Return when every line up to ``seq`` is in the log."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._orders.wait(seq, future)
        await future

    async def take(self, pushed: Pushed) -> Taken:
        """Seal a pushed file; when this returns it is in the log. CustodyError where it cannot be: send it again."""
        future: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()
        self._orders.push(pushed, future)
        self._news.set()
        return await future

    async def derive(self) -> str:
        """Bring the tables up to date now: what was done. CustodyError where that failed."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._orders.ask(future)
        self._news.set()
        return await future

    def health(self) -> Health:
        """How it stands."""
        return self._orders.health()

    @property
    def child(self) -> int | None:
        """The id of the process that seals, None where it is being started again."""
        return None if self._child is None else self._child[0].pid

    @property
    def _orders(self) -> Orders:
        if self._started is None:
            raise RuntimeError("start() was not awaited, or close() was")
        return self._started[0]

    async def _run(self, orders: Orders) -> None:
        pause, last = BACKOFF[0], False
        while True:
            self._news.clear()
            order = orders.next(stopping=self._stop)
            if order is None:
                if self._stop:
                    return
                await self._rest(orders.until_derive())
                continue
            if await self._do(orders, order):
                pause = BACKOFF[0]
                continue
            if last:
                return
            last = self._stop  # once more: what ended the broker may have ended the child with it
            await asyncio.sleep(pause)
            pause = min(pause * 2, BACKOFF[1])

    async def _do(self, orders: Orders, order: Order) -> bool:
        """Have an order done. Whether it was."""
        try:
            return orders.answered(order, await self._exchange(order))
        except _Ended:
            await self._end()
            orders.died(order)
            return False

    async def _rest(self, seconds: float | None) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)

    async def _exchange(self, order: Order) -> Reply:
        """Give an order to the child, started where there is none, and wait for its answer."""
        if self._child is None:
            self._child = self._spawn()
        connection = self._child[1]
        readable, loop = asyncio.Event(), asyncio.get_running_loop()
        try:
            connection.send(order)
            loop.add_reader(connection.fileno(), readable.set)
            try:
                await readable.wait()
            finally:
                loop.remove_reader(connection.fileno())
            return cast("Reply", connection.recv())
        except (EOFError, OSError) as error:
            raise _Ended from error

    def _spawn(self) -> tuple[SpawnProcess, Connection]:
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=serve, args=(there, *self._arguments), name="custody-sealing", daemon=True)
        process.start()
        there.close()
        return process, here

    async def _end(self) -> None:
        """End the child at once: whatever it does, the next one goes on with it."""
        child, self._child = self._child, None
        if child is not None:
            process, connection = child
            connection.close()
            process.kill()
            await asyncio.to_thread(process.join)
            process.close()
