"""The front of the service: every request passes here, before and after Litestar.

It gives the request its trace, holds each origin to its rate, reads the body within its limits, puts the headers of
caution on every answer, and writes the log line and the counters. No header says who somebody is or where they come
from: the address is that of the connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from time import perf_counter
from typing import cast

from litestar import Litestar
from litestar.types import HTTPReceiveMessage, HTTPScope, Message, Receive, Scope, Send

from custody.errors import CustodyError, PolicyDenied
from custody.serve import bodies
from custody.serve.answers import Answers, body_message
from custody.serve.lines import Journalist
from custody.serve.metrics import Metrics
from custody.serve.parts import ServiceParts
from custody.serve.passage import Passage, route_of
from custody.serve.rates import Buckets, origin_name
from custody.serve.tracing import Spanned, Trace, trace_of

PROBES = frozenset({"/healthz", "/readyz"})
"""Paths that no rate holds back: who watches the service must not be kept out by those who flood it."""

STREAMED = ("/intake/", "/v1/")
"""Paths whose bodies are large and read in parts."""

_CSP = b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_CAUTION = (
    (b"content-security-policy", _CSP),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_UNDER_TLS = (*_CAUTION, (b"strict-transport-security", b"max-age=31536000; includeSubDomains"))
_REPLACEABLE = frozenset({b"content-security-policy", b"cache-control"})


class Front:
    """The ASGI application; ``app`` is the Litestar application behind it."""

    def __init__(self, app: Litestar, parts: ServiceParts, metrics: Metrics, journalist: Journalist) -> None:
        self.app = app
        self._parts = parts
        self._metrics = metrics
        self._journalist = journalist
        self._answers = Answers(journalist, parts.approvals)
        self._origins = Buckets(parts.limits.rate, parts.limits.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        kind = str(scope["type"])
        if kind == "http":
            await self._http(cast("HTTPScope", scope), receive, send)
        elif kind == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        else:
            await self.app(scope, receive, send)

    async def _http(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        begun = perf_counter()
        client = scope.get("client")
        passage = Passage(self._trace(scope), client[0] if client else None)
        cast("dict[str, object]", scope)["custody.passage"] = passage
        span = Spanned(self._parts.tracer, passage.trace) if self._parts.tracer else None
        outward = _Outward(send, passage, _UNDER_TLS if scope["scheme"] == "https" else _CAUTION)
        try:
            await self._answer(scope, receive, outward)
        finally:
            route, method = route_of(scope), scope["method"]
            if span:
                span.end(method, route, passage.status)
            self._metrics.answered(method, route, passage.status)
            self._journalist.answered(passage, method, route, perf_counter() - begun)

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        try:
            self._hold(scope)
            inward = await self._inward(scope, receive)
        except CustodyError as error:
            await self._answers.early(scope, send, error)
        except bodies.Gone:
            cast("Mapping[str, Passage]", scope)["custody.passage"].status = 499
        else:
            await self.app(scope, inward, send)

    def _trace(self, scope: HTTPScope) -> Trace:
        values = [value for name, value in scope["headers"] if name == b"traceparent"]
        return trace_of(values, self._parts.random)

    def _hold(self, scope: HTTPScope) -> None:
        """PolicyDenied where this origin asks too often."""
        passage = cast("Mapping[str, Passage]", scope)["custody.passage"]
        if scope["path"] not in PROBES:
            charge(self._origins, origin_name(passage.origin), passage)

    async def _inward(self, scope: HTTPScope, receive: Receive) -> Receive:
        """What the handlers read the body from: all of it is there already, but for large ones."""
        has, length = bodies.declared(scope["headers"])
        if has and scope["path"].startswith(STREAMED):
            return receive
        limits = self._parts.limits
        body = await bodies.whole(receive, length, limits.body, limits.slow) if has else b""
        return _Held(body, receive)


def charge(buckets: Buckets, name: str, passage: Passage) -> None:
    """Take a token for ``name``. PolicyDenied where there is none."""
    wait = buckets.take(name, perf_counter())
    if wait:
        passage.retry = max(1, ceil(wait))
        raise PolicyDenied("too many requests", reason="rate-limited", advice=f"try again in {passage.retry} s")


class _Held:
    """Gives a body that is all there; whoever asks again waits for the caller to go away."""

    __slots__ = ("_body", "_receive")

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> HTTPReceiveMessage:
        if self._body is None:
            return cast("HTTPReceiveMessage", await self._receive())
        body, self._body = self._body, None
        return body_message(body)


class _Outward:
    """Puts the headers of caution and the trace on the answer, and notes its status."""

    __slots__ = ("_caution", "_passage", "_send")

    def __init__(self, send: Send, passage: Passage, caution: tuple[tuple[bytes, bytes], ...]) -> None:
        self._send = send
        self._passage = passage
        self._caution = caution

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._passage.status = message["status"]
            given = list(message["headers"])
            names = {name for name, _ in given if name in _REPLACEABLE}
            given += [each for each in self._caution if each[0] not in names]
            given.append((b"traceparent", self._passage.trace.header()))
            message["headers"] = given
        await self._send(message)
