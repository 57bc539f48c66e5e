"""Which addresses the broker may fetch an issuer's documents from: server-side request forgery ends here."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from custody.broker.proof.refusals import refused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_URL = 2048
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\.?", re.ASCII)
_PRINTED = re.compile(r"[!-~]+", re.ASCII)

_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "168.63.129.16/32", "100.100.100.200/32", "224.0.0.0/3",
        "::/128", "fe80::/10", "fd00:ec2::/32", "fd20:ce::254/128", "ff00::/8",
    )
)  # fmt: skip
"""Metadata services of clouds, link-local, multicast and reserved addresses: no issuer is there, whoever says so."""

_WRAPPED = tuple(ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))
"""IPv6 addresses that stand for IPv4 ones (NAT64, 6to4, Teredo): what they reach cannot be told."""


def checked_url(url: str, *, private: bool, where: str) -> SplitResult:
    """``url`` taken apart: https, or http where ``private``, of a host alone. IdentityRefused ``issuer-address``."""
    wrong = refused("issuer-address", where=where, expected="an https:// URL with a host, and no user or fragment")
    if len(url) > MAX_URL or not _PRINTED.fullmatch(url):
        raise wrong
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise wrong from None
    schemes = ("https", "http") if private else ("https",)
    if parts.scheme not in schemes or not host or "@" in parts.netloc or parts.fragment or port == 0:
        raise wrong
    if literal(host) is None and not _HOST.fullmatch(host):
        raise wrong
    return parts


def literal(host: str) -> Address | None:
    """The address that a host is, None where it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def allowed(address: Address, *, private: bool, plain: bool) -> bool:
    """Whether it may be connected to. ``private``: also inside the network; ``plain`` (no TLS): this machine only."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        if address.ipv4_mapped is not None:
            return allowed(address.ipv4_mapped, private=private, plain=plain)
    if any(address in network for network in (*_NEVER, *_WRAPPED) if network.version == address.version):
        return False
    if plain:
        return private and address.is_loopback
    return private or address.is_global
