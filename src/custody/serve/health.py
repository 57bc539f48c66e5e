"""``/healthz``, ``/readyz`` and ``/metrics``: for those who watch the service. None of it needs a token."""

from __future__ import annotations

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from custody.serve.metrics import CONTENT_TYPE
from custody.serve.parts import Readiness
from custody.serve.passage import Asked, passage_of, shop_of


class Liveness(msgspec.Struct, frozen=True):
    """Whether the process works."""

    live: bool


@get("/healthz", tags=["health"])
async def healthz(request: Asked) -> Response[Liveness]:
    """200 while the process works; 503: restart it."""
    live = shop_of(request).parts.health.live()
    return Response(Liveness(live), status_code=200 if live else 503)


@get("/readyz", tags=["health"])
async def readyz(request: Asked) -> Response[Readiness]:
    """200 where requests should come here; 503 with the reasons where they should not."""
    found = shop_of(request).parts.health.ready()
    passage_of(request.scope).reason = ",".join(found.reasons)
    return Response(found, status_code=200 if found.ready else 503)


@get("/metrics", media_type="text/plain", tags=["health"])
async def metrics(request: Asked) -> Response[bytes]:
    """What can be counted, for Prometheus."""
    return Response(shop_of(request).metrics.text(), media_type=CONTENT_TYPE)


ROUTES: list[HTTPRouteHandler] = [healthz, readyz, metrics]
