"""What a token service publishes of itself: RFC 8414 metadata, and RFC 7662 answers about single tokens. Pure."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from custody.broker.keys.ring import Ring
from custody.broker.keys.signer import decoded

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPE = "at+jwt"
_LONGEST = 16_384
_INACTIVE: dict[str, object] = {"active": False}


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The header of a token of ours: these members and no other."""

    alg: str
    kid: str
    typ: str


class _Checked(msgspec.Struct, frozen=True, kw_only=True):
    iss: str
    jti: str
    iat: int
    exp: int


def metadata(
    issuer: str,
    *,
    scopes: tuple[str, ...] = (),
    details: tuple[str, ...] = (),
    introspection: bool = False,
) -> dict[str, object]:
    """Authorization server metadata (RFC 8414 section 2): the endpoints lie below the issuer's own URL.

    No endpoint of authorization, so no response type. Who asks shows a token of their platform: no client
    authentication. ``details`` are RFC 9396 types.
    """
    base = issuer.rstrip("/")
    found: dict[str, object] = {
        "issuer": issuer,
        "token_endpoint": f"{base}/token",
        "jwks_uri": f"{base}/.well-known/jwks.json",
        "response_types_supported": [],
        "grant_types_supported": [GRANT],
        "token_endpoint_auth_methods_supported": ["none"],
    }
    if scopes:
        found["scopes_supported"] = list(scopes)
    if details:
        found["authorization_details_types_supported"] = list(details)
    if introspection:
        found["introspection_endpoint"] = f"{base}/introspect"
    return found


def introspected(
    token: str, rings: tuple[Ring, ...], *, issuer: str, now: int, ended: Callable[[str], bool]
) -> dict[str, object]:
    """The answer about a token at ``now`` (µs): its claims with ``active`` true, or ``{"active": false}`` and no more.

    Active is what one of the published keys signed as an access token of this issuer, what has not expired, and whose
    chain ``ended`` does not name.
    """
    claims = _verified(token, rings, now)
    if claims is None:
        return dict(_INACTIVE)
    try:
        checked = msgspec.json.decode(claims, type=_Checked)
        shown = msgspec.json.decode(claims, type=dict[str, object])
    except msgspec.DecodeError:
        return dict(_INACTIVE)
    seconds = now // 1_000_000
    if checked.iss != issuer or not checked.iat <= seconds < checked.exp or ended(checked.jti):
        return dict(_INACTIVE)
    return {**shown, "active": True, "token_type": "Bearer"}


def _verified(token: str, rings: tuple[Ring, ...], now: int) -> bytes | None:
    parts = token.split(".") if len(token) <= _LONGEST else []
    if len(parts) != 3:
        return None
    try:
        header = msgspec.json.decode(decoded(parts[0]), type=Header)
        claims, signature = decoded(parts[1]), decoded(parts[2])
    except (ValueError, msgspec.DecodeError):
        return None
    key = next((found for ring in rings if (found := ring.of(header.kid, now)) is not None), None)
    if key is None or header.alg != key.alg or header.typ != TYPE:
        return None
    return claims if key.verifies(signature, f"{parts[0]}.{parts[1]}".encode()) else None
