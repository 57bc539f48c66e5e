"""``/.well-known``: the keys that verify what the broker signs, and its metadata (RFC 7517, RFC 8414).

There is no ``openid-configuration``: the broker issues no ID tokens and signs nobody in.
"""

from __future__ import annotations

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from custody.serve.passage import Asked, shop_of

_CACHED = {"cache-control": "public, max-age=300"}


@get("/.well-known/jwks.json", tags=["discovery"])
async def jwks(request: Asked) -> Response[bytes]:
    """The public keys: the one that signs, the next, and those whose last token still lives."""
    body = msgspec.json.encode(shop_of(request).parts.jwks())
    return Response(body, media_type="application/jwk-set+json", headers=_CACHED)


@get("/.well-known/oauth-authorization-server", tags=["discovery"])
async def metadata(request: Asked) -> Response[bytes]:
    """The metadata of the authorization server."""
    body = msgspec.json.encode(shop_of(request).parts.metadata())
    return Response(body, media_type="application/json", headers=_CACHED)


ROUTES: list[HTTPRouteHandler] = [jwks, metadata]
