"""A private key that signs JSON Web Tokens, and its public half as a JWK: Ed25519 (RFC 8037) or P-256 (RFC 7518).

Keys are drawn by the cryptography library itself. A key's id is its RFC 7638 thumbprint, so that no two keys share one.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import sha256
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from custody.errors import UsageError

Algorithm = Literal["EdDSA", "Ed25519", "ES256"]
"""``Ed25519`` is what RFC 9864 calls ``EdDSA`` with that curve; more servers know the older name so far."""
_SIZE = 32
_P256_SIGNATURE = ec.ECDSA(hashes.SHA256())


class Jwk(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A public key (RFC 7517): ``y`` only for P-256. ``kid`` is its thumbprint."""

    kid: str
    kty: str
    crv: str
    x: str
    alg: Algorithm
    use: str = "sig"
    y: str | None = None

    def verifies(self, signature: bytes, signed: bytes) -> bool:
        """Whether this key made the signature (in the form of JWS) over ``signed``."""
        try:
            if self.alg != "ES256":
                ed25519.Ed25519PublicKey.from_public_bytes(decoded(self.x)).verify(signature, signed)
                return True
            if len(signature) != 2 * _SIZE:
                return False
            numbers = (int.from_bytes(signature[:_SIZE]), int.from_bytes(signature[_SIZE:]))
            point = (int.from_bytes(decoded(self.x)), int.from_bytes(decoded(self.y or "")))
            key = ec.EllipticCurvePublicNumbers(*point, ec.SECP256R1()).public_key()
            key.verify(encode_dss_signature(*numbers), signed, _P256_SIGNATURE)
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer:
    """A private key in memory. It shows only its id, and is not pickled."""

    __slots__ = ("_key", "jwk")

    def __init__(self, key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey, algorithm: Algorithm) -> None:
        self._key = key
        self.jwk = _jwk(key, algorithm)

    def sign(self, signed: bytes) -> bytes:
        """The signature in the form of JWS: 64 bytes for either algorithm."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(signed)
        first, second = decode_dss_signature(self._key.sign(signed, _P256_SIGNATURE))
        return first.to_bytes(_SIZE) + second.to_bytes(_SIZE)

    def pem(self) -> bytes:
        """The private key (PKCS #8, PEM, not encrypted): for the key's own file, and for nothing else."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def __repr__(self) -> str:
        return f"Signer({self.jwk.kid})"

    def __reduce__(self) -> str:
        """Refuse to be pickled."""
        raise TypeError("a private key is not pickled")


def drawn(algorithm: Algorithm) -> Signer:
    """A new key."""
    if algorithm == "ES256":
        return Signer(ec.generate_private_key(ec.SECP256R1()), algorithm)
    return Signer(ed25519.Ed25519PrivateKey.generate(), algorithm)


def loaded(pem: bytes, where: str, algorithm: Algorithm) -> Signer:
    """The key of a file for ``algorithm``. UsageError, which quotes nothing of it, where it is none of ours."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        key = None
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1) and algorithm == "ES256":
        return Signer(key, algorithm)
    if isinstance(key, ed25519.Ed25519PrivateKey) and algorithm != "ES256":
        return Signer(key, algorithm)
    raise UsageError("not a signing key", where=where, expected=f"a key for {algorithm} in PKCS #8 (PEM)")


def encoded(data: bytes) -> str:
    """base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The inverse, strict: ValueError for anything but the one way to write it."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise ValueError("not base64url") from None
    if encoded(data) != text:
        raise ValueError("not base64url")
    return data


def _jwk(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey, algorithm: Algorithm) -> Jwk:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        x = encoded(key.public_key().public_bytes_raw())
        return Jwk(
            kid=thumbprint({"crv": "Ed25519", "kty": "OKP", "x": x}), kty="OKP", crv="Ed25519", x=x, alg=algorithm
        )
    point = key.public_key().public_numbers()
    x, y = encoded(point.x.to_bytes(_SIZE)), encoded(point.y.to_bytes(_SIZE))
    kid = thumbprint({"crv": "P-256", "kty": "EC", "x": x, "y": y})
    return Jwk(kid=kid, kty="EC", crv="P-256", x=x, y=y, alg=algorithm)


def thumbprint(members: dict[str, str]) -> str:
    """RFC 7638: the SHA-256 of the required members, in order and without spaces, in base64url."""
    return encoded(sha256(msgspec.json.encode(members, order="deterministic")).digest())
