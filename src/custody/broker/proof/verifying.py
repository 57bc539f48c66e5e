"""Verifying a token: algorithm, key, signature, issuer, audience and times, in this order. RFC 7519, RFC 8725.

A signature that was verified is remembered by the SHA-256 of the token as long as its key is in the issuer's set;
everything that time changes is checked each time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256

import msgspec
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwa import JWSAlgModel
from joserfc.jws import JWSRegistry, deserialize_compact

from custody.broker.proof.compact import Compact
from custody.broker.proof.held import SECOND, Kept, Source
from custody.broker.proof.key_set import PublicKey, PublicKeys, same_algorithm
from custody.broker.proof.refusals import refused

LEEWAY = 60
"""Seconds by which the clocks of issuer and broker may differ."""

REMEMBERED = 2048
"""Tokens whose signature was verified, at most."""

_LATEST = 253_402_300_799
"""The last second of the year 9999."""


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What a token must be. ``issuer`` is None where the tokens need none (JWT-SVID); ages are in seconds.

    ``types`` are the values of ``typ`` that are taken, the empty one for its absence. ``dated``: ``iat`` is demanded.
    """

    issuer: str | None
    audience: str
    algorithms: tuple[str, ...]
    types: frozenset[str]
    maximum_age: int | None = None
    dated: bool = True
    kid: bool = False
    where: str = ""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """A token that held. ``expires`` is in seconds since 1970, ``age`` that of the keys in seconds; repr hides it."""

    claims: Mapping[str, object]
    digest: str
    key: str
    trust: str
    expires: float
    age: int

    def __repr__(self) -> str:
        return "Verified(…)"


class _Registry(JWSRegistry):
    """The library's checks, with our limits. Of the header nothing is used that could name a key."""

    max_header_length = 16 << 10
    max_payload_length = 16 << 10
    max_signature_length = 2 << 10

    def get_alg(self, name: str) -> JWSAlgModel:
        """Only what the settings name."""
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError("not allowed")
        return self.algorithms[name]  # without its warning that EdDSA has a new name


class Verifier:
    """Verifies the tokens of one issuer."""

    def __init__(self, expected: Expected, source: Source[PublicKeys]) -> None:
        self._expected = expected
        self._source = source
        self._registry = _Registry(algorithms=_both_names(expected.algorithms), strict_check_header=False)
        self._known: OrderedDict[bytes, PublicKey] = OrderedDict()

    async def verify(self, token: Compact, now: int) -> Verified:
        """What the token says, at ``now`` (µs). IdentityRefused with the first reason that it is not to be believed."""
        expected = self._expected
        if token.type not in expected.types:
            raise refused("token-type", where=expected.where, expected=_listed(expected.types))
        if token.algorithm not in (self._registry.allowed or ()):
            raise refused("algorithm", where=expected.where, expected=", ".join(expected.algorithms))
        digest = sha256(token.token).digest()
        key, kept = await self._signed(token, digest, now)
        expires = held(token.claims, expected, now)
        return Verified(
            claims=token.claims, digest=digest.hex(), key=key.thumbprint, trust=kept.value.digest, expires=expires,
            age=kept.age(now),
        )  # fmt: skip

    async def _signed(self, token: Compact, digest: bytes, now: int) -> tuple[PublicKey, Kept[PublicKeys]]:
        """The key that signed it, of the set as it is now."""
        kept = await self._source.get(now)
        known = self._known.get(digest)
        if known is not None and kept.value.holds(known):
            self._known.move_to_end(digest)
            return known, kept
        found = kept.value.named(token.kid, always=self._expected.kid)
        if not found:
            kept = await self._source.newer(kept, now)
            found = kept.value.named(token.kid, always=self._expected.kid)
        key = self._one(found, token)
        if not self._holds(token, key):
            raise refused("bad-signature", where=self._expected.where)
        self._known[digest] = key
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return key, kept

    def _one(self, found: tuple[PublicKey, ...], token: Compact) -> PublicKey:
        if not found:
            raise refused("unknown-key", where=self._expected.where, expected="the kid of a key of the issuer")
        fitting = [key for key in found if key.fits(token.algorithm)]
        if not fitting:
            raise refused("algorithm", where=self._expected.where, expected="the algorithm of the key")
        if len(fitting) > 1:
            raise refused("unknown-key", where=self._expected.where, expected="a kid of one key alone")
        return fitting[0]

    def _holds(self, token: Compact, key: PublicKey) -> bool:
        """Whether the signature is the key's. The library's error stays here: it could quote the token."""
        try:
            deserialize_compact(token.token, key.key, registry=self._registry)
        except (JoseError, ValueError, TypeError):
            return False
        return True


def held(claims: Mapping[str, object], expected: Expected, now: int) -> float:
    """When the token expires, after all that it must be was checked against ``expected`` and ``now`` (µs)."""
    where, moment = expected.where, now / SECOND
    if expected.issuer is not None and claims.get("iss") != expected.issuer:
        raise refused("wrong-issuer", where=where)
    if claims.get("aud") not in (expected.audience, [expected.audience]):
        raise refused("wrong-audience", where=where, expected=expected.audience)
    expires = _date(claims, "exp", where)
    begins, issued = _date(claims, "nbf", where), _date(claims, "iat", where)
    if expires is None or (expected.dated and issued is None):
        raise refused("malformed", where=where, expected="exp and iat" if expected.dated else "exp")
    if expires + LEEWAY <= moment:
        raise refused("token-expired", where=where)
    if max(begins or 0, issued or 0) > moment + LEEWAY:
        raise refused("not-yet-valid", where=where)
    if expected.maximum_age is not None and (issued or 0) + expected.maximum_age + LEEWAY <= moment:
        raise refused("too-old", where=where, expected=f"a token of at most {expected.maximum_age} s")
    return expires


def _date(claims: Mapping[str, object], name: str, where: str) -> float | None:
    """A NumericDate, None where the claim is not there."""
    found = claims.get(name)
    if name not in claims:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found <= _LATEST:
        raise refused("malformed", where=where, expected=f"{name} in seconds since 1970")
    return float(found)


def _both_names(algorithms: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name for told in algorithms for name in (told, "EdDSA", "Ed25519") if same_algorithm(told, name))


def _listed(types: frozenset[str]) -> str:
    return " or ".join(sorted(kind or "no typ" for kind in types))
