"""The loop that closes epochs of a journal, has them sealed, and forgets what is sealed and saved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from custody.broker.evidence.journal import Journal
from custody.errors import StoreError
from custody.pipeline.brokering.process import Sealing


async def keep(
    journal: Journal, sealing: Sealing, *, every: float, saved: Callable[[], int], stop: asyncio.Event
) -> None:
    """Close an epoch and hand it over every ``every`` seconds until ``stop`` is set; then the last one, too.

    ``saved`` gives the ``seq`` up to which the tables have everything: what is above it is not forgotten. What a
    broker that crashed left behind is handed over first.
    """
    while not stop.is_set():
        sealing.offer(journal.closed())
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every)
        await journal.roll()
        with suppress(StoreError):  # the files stay, and are tried again
            await journal.forget(min(sealing.health().through, saved()))
    sealing.offer(journal.closed())
