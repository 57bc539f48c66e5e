"""Sending over HTTP: batches by POST, checked, tried again for a while, to one host and to no other.

The token comes from a file or the environment, goes out in one header, and stands in no error. Redirects are not
followed: a token is for the host that was named. Proxies of the environment are not used.
"""

from __future__ import annotations

import http.client
import json
import ssl
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address
from typing import IO, NoReturn
from urllib.parse import SplitResult, urlsplit

from custody import __version__
from custody.errors import UsageError

BATCH = 1 << 20
"""Bytes in one request, at most; a longer line goes alone."""

SPOOLED = 8 << 20
TIMEOUT = 30.0
ATTEMPTS = 5
FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be others in a moment."""

READ = 64 << 10
"""Bytes of an answer that are read; none of them is shown."""

Body = bytes | IO[bytes]


class Sender:
    """Posts to one URL. ``shown`` is the URL without its query, ``batches`` and ``retries`` count what was sent.

    UsageError where the URL cannot be used: ``https`` is asked for, ``http`` only of this machine unless ``insecure``.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        scheme: str = "Bearer",
        insecure: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._parts = _split(url, insecure)
        self._token, self._scheme, self._sleep = token, scheme, sleep
        self._host = self._parts.hostname or ""
        self._connection: http.client.HTTPConnection | None = None
        self.shown = self._parts._replace(query="", fragment="").geturl()
        self.batches = self.retries = 0

    def lines(self, pieces: Iterable[bytes], media_type: str) -> None:
        """Send lines in batches; UsageError, with the leaf to go on from, where one is refused."""
        try:
            for batch in batches(pieces):
                self._post(batch, len(batch), media_type, advice=_resume(batch))
        finally:
            self._close()

    def whole(self, pieces: Iterable[bytes], media_type: str) -> None:
        """Send all in one request."""
        try:
            with tempfile.SpooledTemporaryFile(SPOOLED) as file:
                file.writelines(pieces)
                length = file.tell()
                self._post(file, length, media_type, advice="nothing of it was taken: send it again")
        finally:
            self._close()

    def _post(self, body: Body, length: int, media_type: str, advice: str) -> None:
        wait = FIRST_WAIT
        for attempt in range(1, ATTEMPTS + 1):
            found, asked = self._attempt(body, length, media_type)
            if found is None:
                self.batches += 1
                return
            if asked is None or attempt == ATTEMPTS:
                self._fail(found, attempt, advice)
            self.retries += 1
            self._sleep(min(max(wait, asked), LONGEST_WAIT))
            wait *= 2
        raise AssertionError("every attempt ends")

    def _attempt(self, body: Body, length: int, media_type: str) -> tuple[str | None, float | None]:
        """What went wrong, None where nothing did; and how long the other side asks to wait, None: not to try again."""
        try:
            answer = self._request(body, length, media_type)
        except ssl.SSLCertVerificationError as error:
            self._close()
            return f"its certificate is not trusted: {error.verify_message}", None
        except (OSError, http.client.HTTPException) as error:
            self._close()
            return str(error) or type(error).__name__, 0.0
        if 200 <= answer.status < 300:
            return None, None
        found = f"{answer.status} {answer.reason}"
        if 300 <= answer.status < 400:
            return f"{found}: redirects are not followed", None
        return found, _asked(answer.getheader("Retry-After")) if answer.status in AGAIN else None

    def _request(self, body: Body, length: int, media_type: str) -> http.client.HTTPResponse:
        if not isinstance(body, bytes):
            body.seek(0)
        if self._connection is None:
            self._connection = self._connect()
        path = self._parts.path or "/"
        if self._parts.query:
            path += f"?{self._parts.query}"
        self._connection.request("POST", path, body, self._headers(length, media_type))
        answer = self._connection.getresponse()
        answer.read(READ)
        if not answer.isclosed():
            self._close()
        return answer

    def _headers(self, length: int, media_type: str) -> dict[str, str]:
        headers = {
            "Content-Type": media_type,
            "Content-Length": str(length),
            "User-Agent": f"custody/{__version__}",
            "Accept": "*/*",
        }
        if self._token is not None:
            headers["Authorization"] = f"{self._scheme} {self._token}"
        return headers

    def _connect(self) -> http.client.HTTPConnection:
        port = self._parts.port
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(self._host, port, timeout=TIMEOUT, context=ssl.create_default_context())
        return http.client.HTTPConnection(self._host, port, timeout=TIMEOUT)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _fail(self, found: str, attempts: int, advice: str) -> NoReturn:
        if self._token:
            found = found.replace(self._token, "…")
        raise UsageError(
            "cannot be sent",
            where=self.shown,
            found=f"{found[:200]} (attempt {attempts}, after {self.batches} batches that were taken)",
            expected="an answer of 200 to 299",
            advice=advice,
        )


def batches(lines: Iterable[bytes], limit: int = BATCH) -> Iterator[bytes]:
    """Lines put together up to ``limit`` bytes; a longer one is a batch of its own."""
    held: list[bytes] = []
    size = 0
    for line in lines:
        if held and size + len(line) > limit:
            yield b"".join(held)
            held, size = [], 0
        held.append(line)
        size += len(line)
    if held:
        yield b"".join(held)


def token_of(text: str, where: str) -> str:
    """A token without the space around it; UsageError, which does not show it, where no header can carry it."""
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable():
        raise UsageError("not a token", where=where, expected="printable ASCII characters on one line")
    return token


def _split(url: str, insecure: bool) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UsageError("not a URL", where="--to", expected="https://host/path") from None
    if parts.scheme not in ("https", "http") or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError("not a URL that can be sent to", where="--to", expected="https://host/path")
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "a password in a URL is seen by everybody on this machine", where="--to", advice="--token-file"
        )
    if parts.scheme == "http" and not insecure and not _is_loopback(host):
        raise UsageError(
            "what is sent could be read and changed on its way",
            where="--to",
            found=f"http://{host}",
            expected="https, or http to this machine",
            advice="--insecure-http sends it all the same",
        )
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _asked(header: str | None) -> float:
    """The seconds of a Retry-After; a date in it is not read."""
    text = (header or "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0


def _resume(batch: bytes) -> str:
    """Where to go on: the leaf of the first event of the batch that was not taken."""
    leaf = json.loads(batch.partition(b"\n")[0]).get("metadata", {}).get("sequence")
    return "send it again: ids are stable" if leaf is None else f"go on with --since {leaf}"
