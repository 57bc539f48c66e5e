"""The keys of an issuer by OpenID Connect Discovery 1.0 (RFC 8414 for the rest), or from a file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from custody.broker.proof.fetching import Fetch
from custody.broker.proof.key_set import MAX_DOCUMENT, PublicKeys, parsed_keys
from custody.broker.proof.refusals import refused
from custody.broker.proof.strict_json import strict_object

WELL_KNOWN = "/.well-known/openid-configuration"


def by_discovery(issuer: str, fetch: Fetch) -> Callable[[], Awaitable[PublicKeys]]:
    """A load of the keys that the issuer's discovery document names, under the same rules of ``fetch`` as that."""

    async def load() -> PublicKeys:
        document = await fetch(issuer.removesuffix("/") + WELL_KNOWN)
        return parsed_keys(await fetch(_key_address(document, issuer)), issuer)

    return load


def _key_address(document: bytes, issuer: str) -> str:
    """``jwks_uri``. IdentityRefused where the document is not that of exactly this issuer."""
    try:
        found = strict_object(document) if len(document) <= MAX_DOCUMENT else {}
    except ValueError:
        found = {}
    address = found.get("jwks_uri")
    if found.get("issuer") != issuer or not isinstance(address, str):
        raise refused("issuer-document", where=issuer, expected="a discovery document of exactly this issuer")
    if issuer.startswith("https:") and not address.startswith("https:"):
        raise refused("issuer-address", where=issuer, expected="a jwks_uri with https")
    return address


def read(path: Path) -> bytes:
    """A file of keys. IdentityRefused ``issuer-unreachable`` where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_DOCUMENT + 1)
    except OSError:
        raise refused("issuer-unreachable", where=str(path), expected="a file that can be read") from None


def from_file(path: Path) -> Callable[[], Awaitable[PublicKeys]]:
    """A load of the keys of a file: nothing is fetched."""

    async def load() -> PublicKeys:
        return parsed_keys(read(path), str(path))

    return load
