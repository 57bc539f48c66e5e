"""One HTTP request and its answer, with nothing left to chance.

No redirect is followed, nothing is taken from the environment (proxies, authorities, netrc), the answer is bounded in
bytes and time, and no encoding of it is taken: what a compressed answer unfolds to nobody knows before.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import msgspec

from custody import __version__
from custody.client.address import shown
from custody.errors import BrokerError, UsageError

MOST = 1 << 20
"""Bytes of an answer at most."""
CONNECT = 5.0
"""Seconds at most until a connection stands."""

_HEADERS = {"accept-encoding": "identity", "accept": "application/json", "user-agent": f"custody/{__version__}"}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer. ``retry`` is the ``Retry-After`` in seconds, 0 without one."""

    status: int
    body: bytes
    retry: float = 0.0


class Carrier:
    """Carries requests. ``timeout`` is in seconds, for a whole request; ``what`` names the other side in errors.

    ``authority`` is a PEM file of the only authorities that count for its certificate; without one, those of the web.
    ``certificate`` and ``key`` are the PEM files of the client's own; with them every request has a new connection.
    """

    def __init__(
        self,
        *,
        timeout: float,
        what: str = "the broker",
        authority: Path | None = None,
        own: tuple[Path, Path] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timeout, self._what, self._authority, self._own = timeout, what, authority, own
        self._monotonic = monotonic
        self._client: httpx.Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open; a later request opens it again."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def ask(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None = None) -> Answer:
        """The answer. BrokerError with a reason where there is none.

        ``unreachable``: nothing was sent. ``no-answer``: whether it was done is not known. ``tls``: the certificates
        do not fit. ``malformed-answer``: it is none that is taken.
        """
        if self._client is None:
            self._client = self._opened(url)
        until = self._monotonic() + self._timeout
        try:
            with self._client.stream(method, url, headers=dict(headers), content=content) as answer:
                return self._read(answer, until, url)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ssl.SSLError, OSError) as error:
            found = _trouble(error)
        finally:
            if self._own is not None:
                self.close()
        raise self._failed(found, url)

    def _opened(self, url: str) -> httpx.Client:
        return httpx.Client(
            verify=self._context() if url.startswith("https:") else False,  # no TLS: to this machine
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(self._timeout, connect=min(CONNECT, self._timeout)),
            headers=_HEADERS,
        )

    def _context(self) -> ssl.SSLContext:
        """TLS 1.2 or later, with the own certificate as it is in its files now. UsageError."""
        try:
            if self._authority is None:
                context = httpx.create_ssl_context(trust_env=False)
            else:
                context = ssl.create_default_context(cafile=self._authority)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
        except OSError:  # ssl.SSLError is one
            raise UsageError(
                "the authorities cannot be used", where=str(self._authority), expected="a PEM file of certificates"
            ) from None
        if self._own is not None:
            try:
                context.load_cert_chain(*self._own, lambda: "")
            except OSError:
                raise UsageError(
                    "the client's certificate cannot be used",
                    where=str(self._own[0]),
                    expected="PEM files: a chain, and its key without a password",
                ) from None
        return context

    def _read(self, answer: httpx.Response, until: float, url: str) -> Answer:
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise self._failed("malformed-answer", url)
        body = bytearray()
        for piece in answer.iter_raw():  # as it comes: collected pieces would escape the clock
            body += piece
            if len(body) > MOST:
                raise self._failed("malformed-answer", url)
            if self._monotonic() > until:
                raise self._failed("no-answer", url)
        return Answer(status=answer.status_code, body=bytes(body), retry=_seconds(answer.headers.get("retry-after")))

    def _failed(self, reason: str, url: str) -> BrokerError:
        told, advice = _TOLD[reason]
        if reason == "no-answer" and self._own is not None:  # under TLS 1.3 a refusal comes when all seems well
            advice = f"It may not take the client's certificate. {advice}"
        return BrokerError(told.format(self._what), reason=reason, where=shown(url), advice=advice)


_TOLD = {
    "unreachable": ("{} cannot be reached", "See that the address is right and that it runs, then ask again."),
    "no-answer": (
        "{} gave no whole answer",
        "Whether it was done is not known: its log says. What it may have issued ends at its expiry at the latest.",
    ),
    "tls": (
        "no secure connection to {}",
        "See that its certificate is of an authority that is trusted here (--authority), and yours of one there.",
    ),
    "malformed-answer": ("{} answered what is not taken", "See that the address is that of a broker and of no proxy."),
}


def _trouble(error: BaseException) -> str:
    """The word for what went wrong on the way."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "tls"
        cause = cause.__cause__ or cause.__context__
    unsent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)
    return "unreachable" if isinstance(error, unsent) else "no-answer"


def _seconds(text: str | None) -> float:
    """``Retry-After`` in its form of seconds (RFC 9110 section 10.2.3); its other form counts as none."""
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else 0.0
