"""Trust bundles (SPIFFE_Trust_Domain_and_Bundle.md): a JWKS of one trust domain's authorities, from file or endpoint.

``x509-svid`` entries hold one CA certificate each (``x5c``), ``jwt-svid`` entries a key with a ``kid``; other entries
are ignored, as the standard says. An endpoint is of the profile ``https_web``.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning

from custody.broker.proof.discovery import read
from custody.broker.proof.fetching import Fetch
from custody.broker.proof.held import LIFETIME, SECOND, Kept, Source
from custody.broker.proof.key_set import PublicKey, PublicKeys, entries, public_key
from custody.broker.proof.refusals import refused
from custody.broker.proof.strict_json import strict_object

_REFRESH = (60, LIFETIME // SECOND)
"""The shortest and longest time in seconds for which a bundle counts as current, whatever it hints."""


PARSING = (
    ValueError, TypeError, UnsupportedAlgorithm, CryptographyDeprecationWarning, x509.InvalidVersion,
    x509.DuplicateExtension, x509.UnsupportedGeneralNameType,
)  # fmt: skip
"""What the library raises about a certificate; a warning only where warnings are made errors."""


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """The authorities of a trust domain. ``keys.digest`` is the SHA-256 (hex) of the document, ``refresh`` in s."""

    domain: str
    authorities: tuple[x509.Certificate, ...]
    keys: PublicKeys
    sequence: int | None
    refresh: int

    @property
    def lifetime(self) -> int:
        """How long it counts as current, in µs."""
        return self.refresh * SECOND


def parsed_bundle(raw: bytes, domain: str, where: str) -> Bundle:
    """The bundle in a document. IdentityRefused ``issuer-document`` where it is none or holds no authority."""
    found = entries(raw, where)
    document = strict_object(raw)
    authorities = tuple(_certificate(entry, where) for entry in found if entry.get("use") == "x509-svid")
    keys = tuple(key for entry in found if entry.get("use") == "jwt-svid" for key in _jwt_key(entry))
    if not authorities and not keys:
        raise refused("issuer-document", where=where, expected="a SPIFFE bundle with an authority")
    return Bundle(
        domain=domain,
        authorities=authorities,
        keys=PublicKeys(sha256(raw).hexdigest(), keys),
        sequence=_number(document, "spiffe_sequence", where),
        refresh=min(max(_number(document, "spiffe_refresh_hint", where) or _REFRESH[1], _REFRESH[0]), _REFRESH[1]),
    )


def certificate(raw: bytes) -> x509.Certificate:
    """A certificate in DER. One of ``PARSING`` where it is none, or its serial number is not positive (RFC 5280)."""
    found = x509.load_der_x509_certificate(raw)
    if found.serial_number <= 0:
        raise ValueError("a serial number that is not positive")
    return found


def _certificate(entry: Mapping[str, object], where: str) -> x509.Certificate:
    """The one CA certificate of an entry."""
    chain = entry.get("x5c")
    wrong = refused("issuer-document", where=where, expected="x509-svid entries of one CA certificate each")
    if not isinstance(chain, list) or len(chain) != 1 or not isinstance(chain[0], str):
        raise wrong
    try:
        found = certificate(base64.b64decode(chain[0], validate=True))
        constraints = found.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (*PARSING, x509.ExtensionNotFound):
        raise wrong from None
    if not constraints.ca:
        raise wrong
    return found


def _jwt_key(entry: Mapping[str, object]) -> tuple[PublicKey, ...]:
    key = public_key({**entry, "use": "sig"})
    return (key,) if key is not None and key.kid else ()


def _number(document: Mapping[str, object], name: str, where: str) -> int | None:
    found = document.get(name)
    if name not in document:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < 1 << 63:
        raise refused("issuer-document", where=where, expected=f"{name} as a whole number")
    return found


class _Newest:
    """Lets no older bundle take the place of a newer one: a sequence only grows."""

    def __init__(self, domain: str, load: Callable[[], Awaitable[bytes]], where: str) -> None:
        self._domain = domain
        self._load = load
        self._where = where
        self._sequence = -1

    async def __call__(self) -> Bundle:
        found = parsed_bundle(await self._load(), self._domain, self._where)
        if found.sequence is not None:
            if found.sequence < self._sequence:
                raise refused("issuer-document", where=self._where, expected="a spiffe_sequence that does not go back")
            self._sequence = found.sequence
        return found


def bundle_from_file(domain: str, path: Path) -> Callable[[], Awaitable[Bundle]]:
    """A load of the bundle in a file."""

    async def load() -> bytes:
        return read(path)

    return _Newest(domain, load, str(path))


def bundle_from_endpoint(domain: str, url: str, fetch: Fetch) -> Callable[[], Awaitable[Bundle]]:
    """A load of the bundle of an ``https_web`` endpoint."""
    return _Newest(domain, lambda: fetch(url), url)


class JwtAuthorities:
    """The keys of a bundle by which JWT-SVIDs are verified, as the source of them that a verifier asks."""

    def __init__(self, bundles: Source[Bundle]) -> None:
        self._bundles = bundles

    async def get(self, now: int) -> Kept[PublicKeys]:
        """See ``Source``."""
        return _keys(await self._bundles.get(now))

    async def newer(self, than: Kept[PublicKeys], now: int) -> Kept[PublicKeys]:
        """See ``Source``."""
        held = await self._bundles.get(now)
        return _keys(await self._bundles.newer(held, now) if held.value.keys is than.value else held)


def _keys(bundle: Kept[Bundle]) -> Kept[PublicKeys]:
    return Kept(bundle.value.keys, bundle.at)
