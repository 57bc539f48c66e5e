"""The HTTP/1.1 protocol of the server: uvicorn's, with what it leaves open.

It tells the application the client's certificate as the TLS layer saw it (ASGI TLS extension: ``client_cert_chain``),
bounds the head of a request in bytes and in time and the connections of one origin, and drops a connection that does
not take its answer.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from custody.serve.rates import origin_name

MOST_HEAD = 32 << 10
"""Bytes of a request line with all headers."""

MOST_HEADERS = 100

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\ncache-control: no-store\r\n"
    b"connection: close\r\n\r\n"
)


class Protocol(HttpToolsProtocol):
    """A connection.

    ``slow`` is the seconds that the head of a request may take, and an answer to be taken; ``most`` how many
    connections one origin may hold, ``held`` how many each holds.
    """

    slow = 10.0
    most = 256
    held: ClassVar[dict[str, int]] = {}
    _origin = ""
    _waiting: asyncio.TimerHandle | None = None
    _tls: dict[str, object] | None = None
    _head = 0
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note the certificate, and wait for the first request only so long."""
        super().connection_made(transport)
        self._tls = _tls_of(transport.get_extra_info("ssl_object"))
        self._origin = origin_name(self.client[0] if self.client else None)
        self.held[self._origin] = self.held.get(self._origin, 0) + 1
        if self.held[self._origin] > self.most:
            transport.abort()
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._wait_no_more()
        self.held[self._origin] -= 1
        if not self.held[self._origin]:
            del self.held[self._origin]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A head that has begun has to end in time."""
        if self._refused:
            return
        if self._waiting is None and not self._answering():
            self._wait()
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A new request on this connection."""
        super().on_message_begin()
        self._head = 0
        if self._tls is not None:
            cast("dict[str, object]", self.scope)["extensions"] = {"tls": self._tls}

    def on_url(self, url: bytes) -> None:
        """A part of the request line."""
        if self._counted(len(url)):
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        if self._counted(len(name) + len(value) + 4) and len(self.headers) < MOST_HEADERS:
            super().on_header(name, value)
        else:
            self._refuse()

    def on_headers_complete(self) -> None:
        """The head is whole: the application has its own patience with the body."""
        self._wait_no_more()
        if not self._refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if not self._refused:
            super().on_message_complete()

    def timeout_keep_alive_handler(self) -> None:
        """An idle connection is closed; one that does not even take what it was sent is dropped."""
        super().timeout_keep_alive_handler()
        self.loop.call_later(self.slow, self.transport.abort)

    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _counted(self, size: int) -> bool:
        self._head += size
        if self._head > MOST_HEAD:
            self._refuse()
        return not self._refused

    def _refuse(self) -> None:
        if self._refused:
            return
        self._refused = True
        if not self._answering():
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        else:  # an earlier request of this connection is being answered: nothing may come in between
            self.transport.abort()

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self.slow, self._too_slow)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _too_slow(self) -> None:
        self._waiting = None
        self.transport.abort()


def protocol(slow: float, most: int) -> type[Protocol]:
    """The protocol of one server, with its patience in seconds, and how many connections one origin may hold."""
    return type("ServerProtocol", (Protocol,), {"slow": slow, "most": most, "held": {}})


def _tls_of(tls: ssl.SSLObject | None) -> dict[str, object] | None:
    """The ASGI TLS extension of a connection, None without TLS."""
    if tls is None:
        return None
    chain = tuple(ssl.DER_cert_to_PEM_cert(each) for each in _chain(tls))
    return {"client_cert_chain": chain, "client_cert_name": None, "client_cert_error": None, "server_cert": None}


def _chain(tls: ssl.SSLObject) -> list[bytes]:
    """The chain that the client showed (DER, leaf first); before Python 3.13 only the private object has all of it."""
    leaf = tls.getpeercert(binary_form=True)
    if leaf is None:
        return []
    inner = getattr(tls, "_sslobj", None)
    shown = getattr(inner, "get_unverified_chain", None)
    if shown is None:
        return [leaf]
    found = [each.public_bytes(_DER) for each in shown() or ()]
    return found if found and found[0] == leaf else [leaf, *found]


_DER = 2
"""``_ssl.ENCODING_DER``."""
