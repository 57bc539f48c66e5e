"""Tokens in compact form, taken apart but not believed: JWS (RFC 7515), JWT (RFC 7519), with the limits of RFC 8725.

Of the header only ``alg``, ``kid`` and ``typ`` are used. ``jku``, ``x5u``, ``jwk`` and ``x5c`` would let the token say
by which key it is verified: they are never looked at.
"""

from __future__ import annotations

import base64
import binascii
import re

import msgspec

from custody.broker.proof.refusals import refused
from custody.broker.proof.strict_json import strict_object

MAX_TOKEN = 16 << 10
"""Bytes of a token."""

MAX_NAME = 256
"""Characters of a key id, and of a claim that is kept."""

_COMPACT = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)")
_CLAIMS_IN_HEADER = frozenset(("act", "may_act", "iss", "sub", "aud"))


class Compact(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a token. Nothing in it is anybody's word before its signature is verified; repr hides all of it."""

    token: bytes
    algorithm: str
    kid: str | None
    type: str
    claims: dict[str, object]

    def __repr__(self) -> str:
        return "Compact(…)"

    @property
    def signed(self) -> bytes:
        """What the signature is over: the same for every encoding of the signature itself."""
        return self.token.rpartition(b".")[0]

    def text(self, claim: str) -> str:
        """A claim that is text, empty where it is not there or no text."""
        found = self.claims.get(claim)
        return found if isinstance(found, str) else ""


def taken_apart(token: bytes) -> Compact:
    """The parts of ``token``. IdentityRefused: ``too-large``, ``malformed``, ``token-type``, ``act-malformed``."""
    if len(token) > MAX_TOKEN:
        raise refused("too-large", expected=f"at most {MAX_TOKEN} bytes")
    found = _COMPACT.fullmatch(token)
    if found is None:
        raise refused("malformed", expected="a compact JWS")
    parts = _objects(found[1], found[2], found[3])
    if parts is None:
        raise refused("malformed", expected="base64url and JSON, strictly")
    return _of(token, *parts)


def _objects(header: bytes, claims: bytes, signature: bytes) -> tuple[dict[str, object], dict[str, object]] | None:
    try:
        _decoded(signature)
        return strict_object(_decoded(header)), strict_object(_decoded(claims))
    except ValueError:
        return None


def _of(token: bytes, header: dict[str, object], claims: dict[str, object]) -> Compact:
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "")
    if not isinstance(algorithm, str) or not isinstance(kind, str) or "crit" in header or "b64" in header:
        raise refused("malformed", expected="a header with alg, and without crit")
    if "kid" in header and (not isinstance(kid, str) or not 0 < len(kid) <= MAX_NAME):
        raise refused("malformed", expected=f"a kid of 1 to {MAX_NAME} characters")
    if _CLAIMS_IN_HEADER & header.keys():
        raise refused("act-malformed", expected="claims in the claims set, none in the header")
    return Compact(
        token=token, algorithm=algorithm, kid=kid if isinstance(kid, str) else None, type=plain_type(kind),
        claims=claims,
    )  # fmt: skip


def plain_type(kind: str) -> str:
    """A media type as RFC 7515 section 4.1.9 compares it: in lower case, without ``application/``."""
    return kind.lower().removeprefix("application/")


def _decoded(segment: bytes) -> bytes:
    """Base64url without padding, in its one canonical form. ValueError for any other."""
    try:
        plain = base64.b64decode(segment + b"=" * (-len(segment) % 4), b"-_", validate=True)
    except binascii.Error:
        raise ValueError("no base64url") from None
    if base64.urlsafe_b64encode(plain).rstrip(b"=") != segment:
        raise ValueError("no canonical base64url")
    return plain
