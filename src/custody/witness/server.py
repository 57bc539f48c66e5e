"""The witness over HTTP (C2SP tlog-witness): ASGI, to be served behind TLS.

``POST <prefix>/add-checkpoint``, ``GET <prefix>/<hex SHA-256 of origin>/checkpoint``, ``GET <prefix>/healthz``.
Needs the extra ``witness``.
"""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from custody.errors import StoreError
from custody.ledger.witness_request import MAX_REQUEST
from custody.witness.witness import Reply, Witness

PATIENCE = 10.0
"""Seconds that a client has to send a request."""


def application(witness: Witness) -> Starlette:
    """The ASGI application of a witness."""

    async def add_checkpoint(request: Request) -> Response:
        body = await _body(request)
        try:
            return _response(await run_in_threadpool(witness.add_checkpoint, body))
        except StoreError:
            raise HTTPException(503, "the witness cannot remember; nothing was cosigned") from None

    async def checkpoint(request: Request) -> Response:
        try:
            found = await run_in_threadpool(witness.checkpoint, request.path_params["origin"])
        except StoreError:
            raise HTTPException(503, "the witness cannot remember") from None
        return _response(found)

    async def healthz(_: Request) -> Response:
        return _response(Reply(200, "ok\n"))

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/{origin}/checkpoint", checkpoint, methods=["GET"]),
            Route("/healthz", healthz, methods=["GET"]),
        ]
    )


async def _body(request: Request) -> bytes:
    """The body, up to the limit and in time: more is refused before it is held, and nobody keeps a place for long."""
    parts: list[bytes] = []
    held = 0
    try:
        async with asyncio.timeout(PATIENCE):
            async for part in request.stream():
                held += len(part)
                if held > MAX_REQUEST:
                    raise HTTPException(413, f"a request has at most {MAX_REQUEST} bytes")
                parts.append(part)
    except TimeoutError:
        raise HTTPException(408, f"a request is sent within {PATIENCE} seconds") from None
    return b"".join(parts)


def _response(reply: Reply) -> Response:
    return Response(reply.body, reply.status, headers={"content-type": reply.kind, "cache-control": "no-store"})
