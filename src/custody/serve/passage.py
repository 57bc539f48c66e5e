"""One request on its way through the service: what the log line, the metrics and the answer need to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from litestar import Request
from litestar.datastructures import State
from litestar.types import HTTPScope, Scope

from custody.broker.desk import Desk, Person
from custody.serve.metrics import Metrics
from custody.serve.parts import ServiceParts
from custody.serve.rates import Buckets
from custody.serve.tracing import Trace

Asked = Request[object, object, State]
"""A request as the handlers get it."""

UNROUTED = "(none)"
"""The route of a request that no route took."""


class Passage:
    """What is learned of a request while it is answered; ``retry`` is in seconds."""

    __slots__ = ("chain", "origin", "person", "reason", "request", "retry", "status", "trace")

    def __init__(self, trace: Trace, origin: str | None) -> None:
        self.trace = trace
        self.origin = origin
        self.status = 0
        self.reason = ""
        self.person: Person | None = None
        self.chain: str | None = None
        self.request: str | None = None
        self.retry: int | None = None


class Shop:
    """What every handler may use."""

    __slots__ = ("desk", "metrics", "parts", "people", "taking")

    def __init__(self, desk: Desk, parts: ServiceParts, metrics: Metrics) -> None:
        self.desk = desk
        self.parts = parts
        self.metrics = metrics
        self.people = Buckets(parts.limits.rate, parts.limits.burst)
        self.taking = 0


def passage_of(scope: Scope | HTTPScope) -> Passage:
    """The passage of a request that came in by the front."""
    return cast("Passage", cast("Mapping[str, object]", scope)["custody.passage"])


def shop_of(asked: Asked) -> Shop:
    """What the handlers of this application use."""
    return cast("Shop", asked.app.state["shop"])


def route_of(scope: Scope | HTTPScope) -> str:
    """The template of the route that took a request: one of a bounded list, whatever was asked for."""
    return str(cast("Mapping[str, object]", scope).get("path_template") or UNROUTED)
