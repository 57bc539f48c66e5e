"""The keys that sign security event tokens: a ring of custody's own (ES256, EdDSA), or one RSA key (RS256).

RS256 with at least 2048 bits is what the CAEP interoperability profile asks of transmitters and receivers. The RSA key
is made where there is none, or is the file that the settings name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from custody.broker.keys.folder import KeyFolder
from custody.broker.keys.private import private, secret
from custody.broker.keys.ring import key_set
from custody.broker.keys.signer import Jwk, encoded, thumbprint
from custody.errors import UsageError
from custody.settings.hooks import CAEP, Caep
from custody.store.disk import RealDisk, disk_error, replace
from custody.store.lock import hold

LEAST, DRAWN = 2048, 3072
"""Bits of an RSA key: the least that is used, and of one that is made here."""
RSA_FILE = "rs256.pem"
_LOCK_WAIT = 30.0
_EXPONENT = 65537


class RsaJwk(msgspec.Struct, frozen=True, kw_only=True):
    """A public RSA key (RFC 7518 section 6.3); ``kid`` is its RFC 7638 thumbprint."""

    kid: str
    n: str
    e: str
    kty: Literal["RSA"] = "RSA"
    alg: Literal["RS256"] = "RS256"
    use: Literal["sig"] = "sig"


class Signing(Protocol):
    """A private key that signs tokens."""

    @property
    def jwk(self) -> Jwk | RsaJwk:
        """Its public half."""
        ...

    def sign(self, signed: bytes) -> bytes:
        """The signature in the form of JWS."""
        ...


class RsaSigner:
    """An RSA key in memory. It shows only its id, and is not pickled."""

    __slots__ = ("_key", "jwk")

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key
        public = key.public_key().public_numbers()
        n, e = (encoded(each.to_bytes((each.bit_length() + 7) // 8)) for each in (public.n, public.e))
        self.jwk = RsaJwk(kid=thumbprint({"e": e, "kty": "RSA", "n": n}), n=n, e=e)

    def sign(self, signed: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3)."""
        return self._key.sign(signed, padding.PKCS1v15(), hashes.SHA256())

    def __repr__(self) -> str:
        return f"RsaSigner({self.jwk.kid})"

    def __reduce__(self) -> str:
        """Refuse to be pickled."""
        raise TypeError("a private key is not pickled")


class TokenKeys(msgspec.Struct, frozen=True):
    """The key that signs, and the public ones that a receiver should know."""

    signer: Signing
    published: tuple[Jwk | RsaJwk, ...]


def opened(caep: Caep, keys: Path, folder: Path, now: int) -> TokenKeys:
    """The keys of the tokens at ``now`` (µs); new ones where there are none.

    UsageError where others may know them, where they are of another algorithm, or where an RSA key is too short.
    """
    if caep.algorithm == "RS256":
        signer = _rsa(folder / caep.key if caep.key else keys / f"{CAEP}-rs256")
        return TokenKeys(signer, (signer.jwk,))
    ring, own = KeyFolder(folder / caep.key if caep.key else keys / CAEP, caep.algorithm).open(now)
    return TokenKeys(own, tuple(key_set((ring,), now)["keys"]))


def _rsa(place: Path) -> RsaSigner:
    """The key at ``place``: a file, or a folder in which it is made where it is not there."""
    if place.is_file():
        return _loaded(place)
    path = place / RSA_FILE
    try:
        private(place)
        if not path.is_file():
            _make(path)
    except OSError as error:
        raise disk_error(error, where=str(path), doing="making the key of the tokens") from error
    return _loaded(path)


def _make(path: Path) -> None:
    """A new key, by one process alone; a crash leaves none, or all of it."""
    lock = hold(path.with_name("lock"), _LOCK_WAIT)
    try:
        if path.is_file():
            return
        key = rsa.generate_private_key(_EXPONENT, DRAWN)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        replace(RealDisk(), path, pem)
    finally:
        lock.release()


def _loaded(path: Path) -> RsaSigner:
    try:
        pem = secret(path)
    except OSError as error:
        raise UsageError("the key of the tokens cannot be read", where=str(path), found=str(error.strerror)) from None
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        expected = "an RSA key in PKCS #8 (PEM), not encrypted"
        raise UsageError("not a signing key for RS256", where=str(path), expected=expected)
    if key.key_size < LEAST or key.public_key().public_numbers().e < _EXPONENT:
        raise UsageError(
            "an RSA key that is too weak",
            where=str(path),
            found=f"{key.key_size} bits",
            expected=f"at least {LEAST} bits, and an exponent of at least {_EXPONENT}",
            advice="Leave `key` out, or name an empty folder: a key is made there.",
        )
    return RsaSigner(key)
