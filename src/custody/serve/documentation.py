"""``/docs``: the OpenAPI 3.1 document, and a plain page of its operations: no script, nothing from another server."""

from __future__ import annotations

from functools import lru_cache

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from custody.serve.health import backends_of
from custody.serve.openapi import described
from custody.serve.operations_page import CSP, page
from custody.serve.passage import Asked, shop_of
from custody.serve.routes import DESCRIBED

_CACHED = {"cache-control": "public, max-age=300"}


@get("/docs/openapi.json")
async def openapi_json(request: Asked) -> Response[bytes]:
    """The OpenAPI document."""
    body = openapi(shop_of(request).parts.version)
    return Response(body, media_type="application/vnd.oai.openapi+json", headers=_CACHED)


@get("/docs")
async def operations(request: Asked) -> Response[bytes]:
    """The operations, and how the backends are, to read: of this moment, so it is not kept."""
    shop = shop_of(request)
    body = page(openapi(shop.parts.version), backends_of(shop.desk))
    return Response(body, media_type="text/html", headers={"content-security-policy": CSP})


@lru_cache(maxsize=1)
def openapi(version: str) -> bytes:
    """The OpenAPI document of a version, as JSON."""
    return described(DESCRIBED, version)


ROUTES: list[HTTPRouteHandler] = [openapi_json, operations]
