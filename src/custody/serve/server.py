"""Runs the service under uvicorn: TLS with client certificates where they are shown, bounded heads, a graceful stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
import uvicorn
from litestar.types import ASGIApp

from custody.errors import UsageError
from custody.serve.lines import Journalist, ServerLog
from custody.serve.peer import protocol
from custody.settings.broker_file import BrokerFile, Limits, Tls

KEEP_ALIVE = 30
"""Seconds that an idle connection is kept."""

DRAIN = 20
"""Seconds that requests have to end after a signal."""

MOST = 1024
"""Connections at once; requests on more are answered 503. One origin may hold a quarter of them."""


class Listening(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how to listen. ``tls`` is a context that is ready (``tls_context``)."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    limits: Limits = Limits()
    keep_alive: int = KEEP_ALIVE
    drain: int = DRAIN
    most: int = MOST


def listening(file: BrokerFile, authorities: Sequence[bytes] = ()) -> Listening:
    """As the broker file says; ``authorities`` (DER) are further ones of client certificates: those of SPIFFE bundles.

    UsageError where the address is none.
    """
    host, _, port = file.listen.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise UsageError("not an address", where="listen", found=file.listen, expected="HOST:PORT")
    context = tls_context(file, file.tls, authorities) if file.tls else None
    return Listening(host=host.strip("[]"), port=int(port), tls=context, limits=file.limits)


def tls_context(file: BrokerFile, tls: Tls, authorities: Sequence[bytes] = ()) -> ssl.SSLContext:
    """TLS 1.2 or later. A client may show a certificate; one that no authority here signed ends the handshake.

    Whose the certificate is, and whether its own trust domain's bundle signed it now, is the prover's business.
    UsageError where a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(file.path(tls.certificate), file.path(tls.key), lambda: "")
        if tls.client_authorities:
            context.load_verify_locations(file.path(tls.client_authorities))
    except (OSError, ssl.SSLError):
        raise UsageError(
            "the files of TLS cannot be used",
            where="tls",
            found=tls.certificate,
            expected="PEM files: a chain, its key without a password, and authorities",
        ) from None
    trust(context, authorities)
    return context


def trust(context: ssl.SSLContext, authorities: Sequence[bytes]) -> None:
    """Accept client certificates of further authorities (DER): also while the server runs, as bundles rotate.

    Authorities need not sign themselves (a SPIFFE bundle may hold an intermediate one).
    """
    if authorities:
        context.load_verify_locations(cadata=b"".join(authorities))
    if context.cert_store_stats()["x509"]:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN


class Server(uvicorn.Server):
    """uvicorn's server, whose end is not that of the process: after the last request the broker has work to do."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT ask for the end, and are not raised again afterwards."""
        loop = asyncio.get_running_loop()
        taken: list[signal.Signals] = []
        for each in (signal.SIGTERM, signal.SIGINT):
            try:
                loop.add_signal_handler(each, self.handle_exit, each, None)
                taken.append(each)
            except (RuntimeError, ValueError):  # not in the main thread
                break
        try:
            yield
        finally:
            for each in taken:
                loop.remove_signal_handler(each)


def server(app: ASGIApp, listen: Listening, journalist: Journalist) -> Server:
    """A server that is ready to serve; ``should_exit = True`` ends it as a signal does."""
    config = uvicorn.Config(
        app,
        host=listen.host,
        port=listen.port,
        http=protocol(listen.limits.slow, max(1, listen.most // 4)),
        ws="none",
        lifespan="on",
        interface="asgi3",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=listen.most,
        timeout_keep_alive=listen.keep_alive,
        timeout_graceful_shutdown=listen.drain,
        ssl_context_factory=_given(listen.tls),
    )
    log = logging.getLogger("uvicorn")
    log.handlers[:] = [ServerLog(journalist)]
    log.propagate = False
    return Server(config)


async def serve(
    app: ASGIApp, listen: Listening, journalist: Journalist, sockets: list[socket.socket] | None = None
) -> None:
    """Serve until a signal, in the loop that runs; requests that are under way end first, within ``drain`` seconds."""
    await server(app, listen, journalist).serve(sockets)


def run(app: ASGIApp, listen: Listening, journalist: Journalist) -> None:
    """Serve until a signal, in a loop of its own (uvloop)."""
    import uvloop

    uvloop.run(serve(app, listen, journalist))


_Factory = Callable[[uvicorn.Config, Callable[[], ssl.SSLContext]], ssl.SSLContext]


def _given(context: ssl.SSLContext | None) -> _Factory | None:
    return None if context is None else lambda _config, _default: context
