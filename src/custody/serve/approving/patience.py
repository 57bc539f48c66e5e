"""Patience with bodies: the server bounds the time of a head, this bounds that of what follows it."""

from __future__ import annotations

import asyncio

from litestar.types import ASGIApp, HTTPReceiveMessage, Receive, Scope, Send, WebSocketReceiveMessage

from custody.errors import IntentRefused


class Patient:
    """An application before which a body has to be whole within ``slow`` seconds; else it is refused (408)."""

    def __init__(self, app: ASGIApp, slow: float) -> None:
        self._app = app
        self._slow = slow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; IntentRefused (``too-slow``) comes out of ``receive``."""
        until = asyncio.get_running_loop().time() + self._slow
        whole = False

        async def received() -> HTTPReceiveMessage | WebSocketReceiveMessage:
            nonlocal whole
            if whole:  # what may still come is the end of the connection, and that takes its time
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise IntentRefused("the body did not come in time", reason="too-slow") from None
            whole = not (message["type"] == "http.request" and message["more_body"])
            return message

        await self._app(scope, received, send)
