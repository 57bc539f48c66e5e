"""One HTTP POST to a server that somebody named: bounded in time and size, no redirects, TLS but for loopback."""

from __future__ import annotations

import ipaddress
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from queue import Empty, SimpleQueue
from threading import Thread
from types import MappingProxyType
from typing import IO

import msgspec

from custody.errors import UsageError

TIMEOUT = 20.0
"""Seconds to wait for the next bytes of an answer."""

WHOLE = 60.0
"""Seconds to wait for all of it: a byte now and then keeps nobody waiting for longer."""


class Answer(msgspec.Struct, frozen=True):
    """What a server answered: its status, the type it names, and at most as many bytes as were allowed."""

    status: int
    kind: str
    body: bytes


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def check_url(url: str, where: str) -> str:
    """``url`` where it may be used: https, or http to this machine. UsageError for any other."""
    parts = urllib.parse.urlsplit(url)
    fine = parts.scheme == "https" or (parts.scheme == "http" and _loopback(parts.hostname or ""))
    if not fine or not parts.hostname or parts.username or parts.password:
        raise UsageError(
            "not an address that may be used", where=where, found=repr(url[:200]),
            expected="https://…, or http://… on this machine; no name or password in it",
        )  # fmt: skip
    return url


def post(
    url: str,
    body: bytes,
    kind: str,
    *,
    limit: int,
    where: str,
    headers: Mapping[str, str] = MappingProxyType({}),
    direct: bool = False,
    whole: float | None = None,
) -> Answer:
    """Send ``body`` and read at most ``limit`` bytes of the answer; any status is an answer.

    ``direct`` uses no proxy of the environment: what ``headers`` prove is for the server that was named. UsageError
    where the address may not be used, the server does not answer within ``whole`` seconds (``WHOLE`` where none is
    said), or its answer is longer.
    """
    seconds = WHOLE if whole is None else whole
    told = {"Content-Type": kind, "User-Agent": "custody", **headers}
    request = urllib.request.Request(  # noqa: S310  # check_url has seen the scheme
        check_url(url, where), data=body, headers=told, method="POST"
    )
    answered: SimpleQueue[Answer | UsageError] = SimpleQueue()
    Thread(target=lambda: answered.put(_tried(request, limit, direct=direct)), daemon=True).start()
    try:
        found = answered.get(timeout=seconds)
    except Empty:
        raise UsageError("no answer", where=url[:200], found=f"not whole after {seconds:.0f} seconds") from None
    if isinstance(found, UsageError):
        raise found
    return found


def _tried(request: urllib.request.Request, limit: int, *, direct: bool) -> Answer | UsageError:
    try:
        return _asked(request, limit, direct=direct)
    except UsageError as error:  # it is raised by who waits for it
        return error


def _asked(request: urllib.request.Request, limit: int, *, direct: bool) -> Answer:
    url = request.full_url
    own = (urllib.request.ProxyHandler({}),) if direct else ()
    opener = urllib.request.build_opener(_NoRedirect, *own)
    try:
        with opener.open(request, timeout=TIMEOUT) as answer:
            return _read(answer, answer.status, answer.headers.get_content_type(), limit, url)
    except urllib.error.HTTPError as error:
        with error:
            return _read(error, error.code, error.headers.get_content_type(), limit, url)
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise UsageError("no answer", where=url[:200], found=str(reason)[:200]) from None


def _read(answer: IO[bytes], status: int, kind: str, limit: int, url: str) -> Answer:
    body = answer.read(limit + 1)
    if len(body) > limit:
        raise UsageError("an answer that is too long", where=url[:200], expected=f"at most {limit} bytes")
    return Answer(status, kind, body)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
