"""Verifies security event tokens (RFC 8417) that one transmitter pushes (RFC 8935)."""

from __future__ import annotations

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization

from custody.errors import IdentityRefused, UsageError
from custody.readers import json_guard

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
TYPE = "secevent+jwt"
_MOST_DEPTH = 32


class _Claims(msgspec.Struct, frozen=True):
    """The claims that every token must have."""

    iss: str
    aud: str | list[str]
    jti: str
    iat: int | float
    events: dict[str, msgspec.Raw]


_DECODER = msgspec.json.Decoder(_Claims)
_KEYS = msgspec.json.Decoder(KeySetSerialization)


class SetKeys:
    """The keys of one transmitter, with what its tokens must say. UsageError where ``jwks`` is no set of keys."""

    def __init__(self, issuer: str, audience: str, jwks: bytes) -> None:
        self._issuer = issuer
        self._audience = audience
        try:
            self._keys = KeySet.import_key_set(_KEYS.decode(jwks))
        except (msgspec.DecodeError, JoseError, ValueError, KeyError):
            raise UsageError("not a set of keys", expected="RFC 7517") from None

    async def claims(self, token: bytes) -> bytes:
        """The claims of a verified token, byte for byte as they were signed.

        IdentityRefused: ``bad-signature``, ``wrong-issuer``, ``wrong-audience``, ``malformed``.
        """
        payload = self._verified(token)
        if json_guard.check(payload, _MOST_DEPTH) is not None:
            raise _malformed()
        try:
            claims = _DECODER.decode(payload)
        except msgspec.DecodeError:
            raise _malformed() from None
        if claims.iss != self._issuer:
            raise IdentityRefused("a token of another issuer", reason="wrong-issuer")
        if self._audience not in ([claims.aud] if isinstance(claims.aud, str) else claims.aud):
            raise IdentityRefused("a token for another audience", reason="wrong-audience")
        return payload

    def _verified(self, token: bytes) -> bytes:
        try:
            found = jws.deserialize_compact(token, self._keys, algorithms=list(ALGORITHMS))
        except (JoseError, ValueError, KeyError, TypeError):
            raise IdentityRefused("the signature does not verify", reason="bad-signature") from None
        if str(found.headers().get("typ", "")).lower().removeprefix("application/") != TYPE:
            raise _malformed()
        return found.payload


def _malformed() -> IdentityRefused:
    return IdentityRefused("not a security event token", reason="malformed", expected="RFC 8417")
