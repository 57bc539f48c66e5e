"""Fetching an issuer's documents: HTTPS to addresses that were checked, without redirects, bounded in size and time.

The host is resolved here and the connection goes to the very addresses that were looked at, so that a name that answers
differently the second time (DNS rebinding) gains nothing; TLS still verifies the certificate for the name. No proxy,
certificate or password is taken from the environment.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from socket import SOCK_STREAM
from urllib.parse import SplitResult

import httpx
import msgspec

from custody.broker.proof.addresses import Address, allowed, checked_url, literal
from custody.broker.proof.key_set import MAX_DOCUMENT
from custody.broker.proof.refusals import refused
from custody.errors import UsageError

Fetch = Callable[[str], Awaitable[bytes]]
"""Gives the document at a URL. IdentityRefused ``issuer-unreachable``, ``issuer-address`` or ``issuer-document``."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host (and port) as text. OSError where it has none."""

_TRIES = 3
_HEADERS = {
    "Accept": "application/jwk-set+json, application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "custody",
}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a whole fetch may take (seconds), and how long its document may be (bytes)."""

    whole: float = 5.0
    size: int = MAX_DOCUMENT


async def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses of a host by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    return [str(each[4][0]) for each in found]


def guarded(
    *, private: bool = False, authority: Path | None = None, resolve: Resolve = resolved, limits: Limits | None = None
) -> Fetch:
    """A fetch that stays where it may go. ``authority`` is a PEM file of the only CAs that count; see ``Fetch``.

    UsageError where that file is none. Without it the CAs of the web (certifi) count.
    """
    return _Guarded(private, _trust(authority), resolve, limits or Limits())


def _trust(authority: Path | None) -> ssl.SSLContext:
    try:
        if authority is None:
            return httpx.create_ssl_context(trust_env=False)
        return ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError):
        advice = "Give a PEM file with the certificates of the CAs."
        raise UsageError("not a file of certificates", where=str(authority), advice=advice) from None


class _Guarded:
    def __init__(self, private: bool, trust: ssl.SSLContext, resolve: Resolve, limits: Limits) -> None:
        self._private = private
        self._trust = trust
        self._resolve = resolve
        self._limits = limits

    async def __call__(self, url: str) -> bytes:
        parts = checked_url(url, private=self._private, where="the URL of an issuer's document")
        try:
            async with asyncio.timeout(self._limits.whole):
                return await self._from_any(parts)
        except TimeoutError:
            raise refused("issuer-unreachable", expected=f"an answer in {self._limits.whole:g} s") from None

    async def _from_any(self, parts: SplitResult) -> bytes:
        """The document from the first address that answers."""
        for address in (await self._addresses(parts))[:_TRIES]:
            try:
                return await self._from(parts, address)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ssl.SSLError, OSError):
                break
        raise refused("issuer-unreachable", expected="an answer over a trusted connection")

    async def _addresses(self, parts: SplitResult) -> list[Address]:
        """Where the host is. One address that is not allowed is enough to refuse all of them."""
        host, plain = parts.hostname or "", parts.scheme == "http"
        own = literal(host)
        try:
            told = [str(own)] if own else await self._resolve(host, parts.port or (80 if plain else 443))
            found = [address for text in told if (address := literal(text)) is not None]
        except (OSError, UnicodeError):
            raise refused("issuer-unreachable", expected="a host that resolves") from None
        if not found or len(found) != len(told):
            raise refused("issuer-unreachable", expected="a host that resolves")
        if not all(allowed(address, private=self._private, plain=plain) for address in found):
            expected = "addresses inside the network or public" if self._private else "public addresses"
            raise refused("issuer-address", expected=expected)
        return list(dict.fromkeys(found))

    async def _from(self, parts: SplitResult, address: Address) -> bytes:
        host, place = parts.hostname or "", f"[{address}]" if address.version == 6 else str(address)
        port = f":{parts.port}" if parts.port else ""
        path = parts.path or "/"
        url = f"{parts.scheme}://{place}{port}{path}" + (f"?{parts.query}" if parts.query else "")
        named = f"[{host}]" if ":" in host else host
        transport = httpx.AsyncHTTPTransport(verify=self._trust, trust_env=False)
        async with (
            httpx.AsyncClient(
                transport=transport, trust_env=False, follow_redirects=False, timeout=self._limits.whole
            ) as client,
            client.stream(
                "GET", url, headers={**_HEADERS, "Host": f"{named}{port}"}, extensions={"sni_hostname": host}
            ) as answer,
        ):
            return await self._body(answer)

    async def _body(self, answer: httpx.Response) -> bytes:
        if answer.status_code != 200:
            raise refused("issuer-unreachable", expected="status 200; redirects are not followed")
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
            raise refused("issuer-document", expected="a content type of JSON")
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise refused("issuer-document", expected="no content encoding")
        body = bytearray()
        async for piece in answer.aiter_raw(16 << 10):
            body += piece
            if len(body) > self._limits.size:
                raise refused("issuer-document", expected=f"at most {self._limits.size} bytes")
        return bytes(body)
