"""The certificate that a client showed, as typed keys, and those that it says it forwards.

Verified is what the proxy itself checked: the operators of the downstream peer. A certificate that failed the check is
shown by whoever showed it: its serial and names are what a stranger wrote into it, and only its SHA-256 tells it apart.
"""

import re

import msgspec

from custody.model import keys
from custody.sources.envoy_access.facts import Facts

_SPIFFE = re.compile(r"spiffe://([a-z0-9._-]{1,255})((?:/[A-Za-z0-9._-]+)+)")
_HEX = re.compile(r"[0-9a-f]{1,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ELEMENT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*+")++')
_PAIR = re.compile(r'([A-Za-z]+)=("(?:[^"\\]|\\.)*+"|[^;"]*+)(?:;|\Z)')
_MOST = 8
"""Elements of a forwarded header that are looked at, counted from its end, where the nearest proxy writes."""


class Peer(msgspec.Struct, frozen=True, gc=False):
    """A client certificate: its key by serial or SHA-256, the key of its SPIFFE id, and its SHA-256."""

    key: str | None
    principal: str | None
    sha256: str | None


def verified(facts: Facts) -> Peer:
    """The certificate that the proxy accepted. The serial is the key where the log has what scopes it."""
    found = _SPIFFE.fullmatch(_only(facts.get("uris", "")) or "")
    digest = _digest(facts.get("sha256"))
    scope = found[1] if found else facts.get("issuer") if digest is None else None
    serial = facts.get("serial", "").replace(":", "").lower().lstrip("0")
    principal = keys.scoped("spiffe", found[1], found[2]) if found else None
    if scope and _HEX.fullmatch(serial):
        return Peer(keys.scoped("x509_serial", scope, serial), principal, digest)
    return Peer(_by_digest(digest), principal, digest)


def refused(facts: Facts) -> Peer:
    """The certificate that the proxy turned away: nobody vouches for the names in it."""
    digest = _digest(facts.get("sha256"))
    return Peer(_by_digest(digest), None, digest)


def forwarded(facts: Facts, own: str | None) -> list[str]:
    """The keys of certificates in ``x-forwarded-client-cert`` other than the client's ``own``, in their order."""
    elements = _ELEMENT.findall(facts.get("xfcc", ""))[-_MOST:]
    digests = (_digest(dict(_pairs(element)).get("hash")) for element in elements)
    return list(dict.fromkeys(f"x509_sha256:x509:{digest}" for digest in digests if digest and digest != own))


def forwarded_names(facts: Facts) -> str | None:
    """The URIs that the header says, as the client wrote them."""
    elements = _ELEMENT.findall(facts.get("xfcc", ""))[-_MOST:]
    return ",".join(value for element in elements for name, value in _pairs(element) if name == "uri" and value) or None


def _pairs(element: str) -> list[tuple[str, str]]:
    return [(name.lower(), value.strip('"')) for name, value in _PAIR.findall(element)]


def _only(uris: str) -> str | None:
    """The URI of a certificate that has just one: an X.509-SVID has."""
    return uris if "," not in uris else None


def _digest(text: str | None) -> str | None:
    digest = (text or "").replace(":", "").lower()
    return digest if _SHA256.fullmatch(digest) else None


def _by_digest(digest: str | None) -> str | None:
    return f"x509_sha256:x509:{digest}" if digest else None
