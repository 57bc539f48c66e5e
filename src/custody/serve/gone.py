"""Callers who go away while a credential is made for them: HTTP servers do not tell, so somebody has to ask."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import TypeVar

from litestar.types import Receive

from custody.errors import IntentRefused

T = TypeVar("T")

PATIENCE = 0.05
"""Seconds before anybody looks: what is made at once costs nothing more."""


async def unless_gone(receive: Receive, work: Coroutine[object, object, T]) -> T:
    """The outcome of ``work``, which is cancelled where the caller goes away first. The body must have been read.

    IntentRefused then, for the log alone. Whoever made a credential meanwhile ends it: nobody is left to take it.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=PATIENCE)
        if not task.done() and await _left(receive, task):
            raise IntentRefused("the caller went away", reason="client-gone")
    except asyncio.CancelledError:
        task.cancel()
        raise
    return await task


async def _left(receive: Receive, task: asyncio.Future[T]) -> bool:
    """Wait for the task, and cancel it where the caller goes away first; gives whether."""
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return False
        task.cancel()
        await asyncio.wait((task,))
        return True
    finally:
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
