"""A caller who goes away while a credential is made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from litestar.types import HTTPReceiveMessage

from custody.errors import IntentRefused
from custody.serve import gone
from custody.serve.gone import unless_gone


def leaves(after: float) -> Callable[[], Awaitable[HTTPReceiveMessage]]:
    """A connection that is closed after some seconds."""

    async def receive() -> HTTPReceiveMessage:
        await asyncio.sleep(after)
        return {"type": "http.disconnect"}

    return receive


async def work(seconds: float, ended: list[str]) -> str:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        ended.append("cancelled")
        raise
    ended.append("done")
    return "credential"


@pytest.mark.parametrize(
    ("takes", "away", "expected"),
    [(0.0, 60.0, "done"), (0.04, 60.0, "done"), (0.0, 0.0, "done"), (60.0, 0.02, "cancelled")],
)
def test_what_is_made_for_nobody_is_cancelled(
    monkeypatch: pytest.MonkeyPatch, takes: float, away: float, expected: str
) -> None:
    monkeypatch.setattr(gone, "PATIENCE", 0.01)
    ended: list[str] = []

    async def play() -> str:
        return await unless_gone(leaves(away), work(takes, ended))

    if expected == "done":
        assert asyncio.run(play()) == "credential"
    else:
        with pytest.raises(IntentRefused) as caught:
            asyncio.run(play())
        assert caught.value.reason == "client-gone"
    assert ended == [expected]


def test_who_is_cancelled_cancels_the_work() -> None:
    ended: list[str] = []

    async def play() -> None:
        whole = asyncio.ensure_future(unless_gone(leaves(60), work(60, ended)))
        await asyncio.sleep(0.01)
        whole.cancel()
        with pytest.raises(asyncio.CancelledError):
            await whole

    asyncio.run(play())
    assert ended == ["cancelled"]
