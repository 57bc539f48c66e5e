"""One HTTP POST to a receiver: over TLS, to an address that was looked at first, bounded in time and size.

The host is resolved here, every address that it has must be one that may be used, and the connection goes to the very
address that was looked at: a name that answers differently the second time (DNS rebinding) gains nothing, and TLS still
verifies the certificate for the name. Redirects are not followed, proxies of the environment not used. What went wrong
is said in words of our own: neither an address that is a secret nor anything that the other side chose is in them.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from queue import Empty, SimpleQueue
from threading import Thread
from urllib.parse import SplitResult

import msgspec

from custody.broker.proof.addresses import allowed, checked_url, literal
from custody.errors import CustodyError, IdentityRefused, UsageError

MOST = 64 << 10
"""Bytes of an answer that are read."""
STEP = 20.0
"""Seconds for one step of the connection."""
TRIES = 3
"""Addresses of one host that are tried."""
PRIVATE = "A receiver inside your network, or on this machine, needs private = true in its table."

Resolve = Callable[[str, int], Sequence[str]]
"""Gives the addresses of a host (and port) as text. OSError where it has none."""


class Refused(CustodyError):
    """The receiver will not take this message; it may take others."""


class Away(CustodyError):
    """Nothing can be sent to the receiver now.

    ``after``: seconds for which it asked to be left alone. ``lasting``: somebody has to mend something first; to try
    again at once is of no use.
    """

    after: float = 0.0
    lasting: bool = False


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, and for how long (seconds) it is waited."""

    body: bytes
    kind: str
    headers: Mapping[str, str]
    whole: float
    private: bool = False


class Answer(msgspec.Struct, frozen=True):
    """What came back: status, the first bytes of the body, and the header ``Retry-After`` in seconds (0: none)."""

    status: int
    body: bytes
    after: float


def checked(url: str, *, private: bool, where: str) -> SplitResult:
    """The address taken apart: https, or http where ``private``. UsageError, which shows nothing of it."""
    try:
        return checked_url(url, private=private, where=where)
    except IdentityRefused:
        expected = "https://… with a host, and no user, password or fragment" + ("; or http://…" if private else "")
        raise UsageError("not an address that may be used", where=where, expected=expected, advice=PRIVATE) from None


def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses of a host by the system's resolver."""
    return [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def post(parts: SplitResult, message: Message, resolve: Resolve = resolved) -> Answer:
    """Send it; any status is an answer. Away where there is none in time, or no address that may be used."""
    answered: SimpleQueue[Answer | Away] = SimpleQueue()
    line = _Line(parts, message, resolve)
    Thread(target=lambda: answered.put(line.asked()), daemon=True, name="custody-deliver").start()
    try:
        found = answered.get(timeout=message.whole)
    except Empty:
        line.cut()
        raise Away("no answer", found=f"not whole after {message.whole:.0f} seconds") from None
    if isinstance(found, Away):
        raise found
    return found


class _Line:
    """One try, in a thread of its own; ``cut`` ends it from another."""

    def __init__(self, parts: SplitResult, message: Message, resolve: Resolve) -> None:
        self._parts, self._message, self._resolve = parts, message, resolve
        self._plain = parts.scheme == "http"
        self._port = parts.port or (80 if self._plain else 443)
        self._socket: socket.socket | None = None
        self._over = False

    def cut(self) -> None:
        """End it: whoever sends a byte now and then keeps no thread."""
        self._over = True
        held = self._socket
        if held is not None:
            with suppress(OSError):
                socket.socket.shutdown(held, socket.SHUT_RDWR)

    def asked(self) -> Answer | Away:
        """The answer, or why there is none: it is raised by who waits for it."""
        try:
            return self._asked()
        except Away as error:
            return error
        except ssl.SSLCertVerificationError as error:
            return Away("no connection that can be trusted", found=f"the certificate ({error.verify_code})")
        except ssl.SSLError:
            return Away("no connection that can be trusted", found="the TLS handshake failed")
        except OSError as error:
            return Away("no answer", found=os.strerror(error.errno) if error.errno else "the connection ended")
        except (HTTPException, ValueError):
            return Away("no answer", found="what came back is not HTTP")

    def _asked(self) -> Answer:
        *others, last = self._addresses()
        for address in others:
            with suppress(OSError):
                raw = self._connected(address)
                break
        else:
            raw = self._connected(last)
        return self._over_line(raw)

    def _connected(self, address: str) -> socket.socket:
        return socket.create_connection((address, self._port), min(STEP, self._message.whole))

    def _addresses(self) -> list[str]:
        """Where the host is. One address that is not allowed is enough to refuse all of them."""
        host = self._parts.hostname or ""
        own = literal(host)
        try:
            told = [str(own)] if own is not None else list(self._resolve(host, self._port))
        except (OSError, UnicodeError):
            raise Away("no answer", found="the name of its host does not resolve") from None
        found = [address for text in told if (address := literal(text)) is not None]
        if not found or len(found) != len(told):
            raise Away("no answer", found="the name of its host does not resolve")
        if not all(allowed(each, private=self._message.private, plain=self._plain) for each in found):
            expected = "addresses inside the network or public" if self._message.private else "public addresses"
            if self._plain:
                expected = "this machine: anything else needs https"
            error = Away("an address that may not be used", expected=expected, advice=PRIVATE)
            error.lasting = True
            raise error
        return [str(each) for each in dict.fromkeys(found)][:TRIES]

    def _over_line(self, raw: socket.socket) -> Answer:
        host = self._parts.hostname or ""
        self._socket = raw
        try:
            raw.settimeout(min(STEP, self._message.whole))
            if not self._plain:
                self._socket = ssl.create_default_context().wrap_socket(raw, server_hostname=host.rstrip("."))
            if self._over:
                raise Away("no answer", found="it took too long")
            return self._exchanged(self._socket, host)
        finally:
            self._socket.close()
            raw.close()

    def _exchanged(self, line: socket.socket, host: str) -> Answer:
        connection = HTTPConnection(host, self._port)
        connection.default_port = 80 if self._plain else 443
        connection.sock = line
        path = (self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else "")
        message = self._message
        headers = {"Content-Type": message.kind, "User-Agent": "custody", "Connection": "close", **message.headers}
        connection.request("POST", path, message.body, headers)
        answer = connection.getresponse()
        try:
            after = answer.getheader("Retry-After", "")
            seconds = float(after) if after.isascii() and after.isdigit() and len(after) < 7 else 0.0
            return Answer(answer.status, answer.read(MOST), seconds)
        finally:
            answer.close()
