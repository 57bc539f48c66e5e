"""Where a token may be sent: over HTTPS, or in the clear to this very machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from custody.errors import UsageError


def checked(url: str, where: str, *, query: bool = False) -> str:
    """The URL without a slash at its end. UsageError where nothing secret may go there.

    ``query`` allows a query; user names, passwords and fragments are never allowed. The URL itself is not repeated in
    the error: it may hold a password.
    """
    parts = _split(url, where)
    if parts.scheme != "https" and not (parts.scheme == "http" and _here(parts.hostname or "")):
        raise UsageError("a token does not go over this", where=where, expected="https://…, or http:// to this machine")
    if not parts.hostname or parts.username is not None or parts.fragment or (parts.query and not query):
        raise UsageError("not the URL of a service", where=where, expected="https://HOST[:PORT][/PATH]")
    return url if query else url.rstrip("/")


def shown(url: str) -> str:
    """Scheme, host and port of a URL: what an error may say of it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _split(url: str, where: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # reading it checks it
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    if not url.isascii() or not url.isprintable() or " " in url or not parts.scheme:
        raise UsageError("not a URL", where=where, expected="https://HOST[:PORT][/PATH]")
    return parts


def _here(host: str) -> bool:
    """Whether a host is this machine; of names only ``localhost`` is (RFC 6761)."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
