"""Public keys of an issuer: JWK and JWKS (RFC 7517), and which may verify which token (RFC 7518, 8037, 9864)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from hashlib import sha256

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from custody.broker.proof.refusals import refused
from custody.broker.proof.strict_json import strict_object

ALGORITHMS: dict[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None), "RS384": ("RSA", None), "RS512": ("RSA", None),
    "PS256": ("RSA", None), "PS384": ("RSA", None), "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"), "Ed25519": ("OKP", "Ed25519"),
}  # fmt: skip
"""Every algorithm that can be allowed, and the type and curve of its keys: all are asymmetric."""

MAX_DOCUMENT = 512 << 10
"""Bytes of a key set, bundle or discovery document."""

MAX_KEYS = 200
_MODULUS = range(2048, 8193)
"""Bits of an RSA modulus: shorter ones are weak, longer ones cost too much to verify; so do long exponents."""
_EXPONENT = 32

_PUBLIC = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_SECRET = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))
_SAME = ({"EdDSA", "Ed25519"},)


class PublicKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key that verifies. ``thumbprint`` is that of RFC 7638; ``algorithm`` is there where the set bounds it."""

    key: Key
    type: str
    curve: str | None
    thumbprint: str
    kid: str | None = None
    algorithm: str | None = None

    def fits(self, algorithm: str) -> bool:
        """Whether it may verify signatures of this algorithm."""
        bound = self.algorithm is None or same_algorithm(self.algorithm, algorithm)
        return bound and ALGORITHMS.get(algorithm) == (self.type, self.curve)


class PublicKeys(msgspec.Struct, frozen=True):
    """The keys of one document; ``digest`` is the SHA-256 (hex) of it."""

    digest: str
    keys: tuple[PublicKey, ...]

    def named(self, kid: str | None, *, always: bool = False) -> tuple[PublicKey, ...]:
        """The keys with this id. A token without one may mean the only key there is, unless ids are ``always`` due."""
        if kid is None:
            return self.keys if len(self.keys) == 1 and not always else ()
        return tuple(key for key in self.keys if key.kid == kid)

    def holds(self, key: PublicKey) -> bool:
        """Whether this very key is still among them, under the same id and for the same algorithm."""
        told = (key.thumbprint, key.kid, key.algorithm)
        return any((own.thumbprint, own.kid, own.algorithm) == told for own in self.keys)


def same_algorithm(one: str, other: str) -> bool:
    """Whether two names are of one algorithm: ``EdDSA`` over Ed25519 is called ``Ed25519`` since RFC 9864."""
    return one == other or any({one, other} == both for both in _SAME)


def parsed_keys(raw: bytes, where: str) -> PublicKeys:
    """The keys of a JWKS. IdentityRefused ``issuer-document`` where it is none, or holds a secret or no usable key."""
    found = entries(raw, where)
    keys = tuple(key for entry in found if (key := public_key(entry)) is not None)
    if not keys:
        raise refused("issuer-document", where=where, expected="a key set with a public key for signatures")
    return PublicKeys(sha256(raw).hexdigest(), keys)


def entries(raw: bytes, where: str) -> list[Mapping[str, object]]:
    """The JWKs of a key set. None of them may hold a secret: a key that everybody can read proves nothing."""
    if len(raw) > MAX_DOCUMENT:
        raise refused("issuer-document", where=where, expected=f"at most {MAX_DOCUMENT} bytes")
    try:
        found = strict_object(raw).get("keys")
    except ValueError:
        raise refused("issuer-document", where=where, expected="JWKS (RFC 7517)") from None
    if not isinstance(found, list) or len(found) > MAX_KEYS or not all(isinstance(one, dict) for one in found):
        raise refused("issuer-document", where=where, expected=f"JWKS (RFC 7517) of at most {MAX_KEYS} keys")
    if any(_SECRET & one.keys() or one.get("kty") == "oct" for one in found):
        raise refused("issuer-document", where=where, expected="public keys only")
    return found


def public_key(entry: Mapping[str, object]) -> PublicKey | None:
    """The key of a JWK, None where it is not for signatures, not strong enough or of a kind that is not taken."""
    kind, kid, algorithm = entry.get("kty"), entry.get("kid"), entry.get("alg")
    names = _PUBLIC.get(kind) if isinstance(kind, str) else None
    if names is None or not isinstance(kind, str) or not _for_signatures(entry):
        return None
    values = {name: entry.get(name) for name in names}
    plain = {name: value for name, value in values.items() if isinstance(value, str)}
    curve = plain.get("crv")
    if len(plain) != len(names) or (kind, curve) not in ALGORITHMS.values():
        return None
    key = _imported({"kty": kind, **plain})
    if key is None:
        return None
    return PublicKey(
        key=key, type=kind, curve=curve, thumbprint=key.thumbprint(), kid=kid if isinstance(kid, str) else None,
        algorithm=algorithm if isinstance(algorithm, str) else None,
    )  # fmt: skip


def _for_signatures(entry: Mapping[str, object]) -> bool:
    uses = entry.get("key_ops", ["verify"])
    kid, algorithm = entry.get("kid", ""), entry.get("alg", "")
    named = isinstance(kid, str) and isinstance(algorithm, str)
    return named and entry.get("use", "sig") == "sig" and isinstance(uses, list) and "verify" in uses


def _imported(plain: dict[str, str]) -> Key | None:
    try:
        if plain["kty"] == "RSA" and (_bits(plain["n"]) not in _MODULUS or _bits(plain["e"]) > _EXPONENT):
            return None
        key = JWKRegistry.import_key({**plain})
        _ = key.public_key  # the point or number is checked when the key is made
    except (JoseError, ValueError, TypeError, OverflowError):
        return None
    return key


def _bits(text: str) -> int:
    """The length of an unsigned number in base64url. ValueError where it is none."""
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))).bit_length()
