"""All routes that the OpenAPI document describes, in its order."""

from __future__ import annotations

from litestar.handlers import HTTPRouteHandler

from custody.serve import containments, health, intake, leases, requests, tokens, well_known

DESCRIBED: tuple[HTTPRouteHandler, ...] = (
    *tokens.ROUTES,
    *leases.ROUTES,
    *requests.ROUTES,
    *containments.ROUTES,
    *intake.ROUTES,
    *well_known.ROUTES,
    *health.ROUTES,
)
