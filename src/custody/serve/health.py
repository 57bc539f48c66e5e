"""``/healthz``, ``/readyz`` and ``/metrics``: for those who watch the service. None of it needs a token.

Ready says whether anything can be issued at all. That one backend fails takes nothing away from the others, so it does
not change that; it is said beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from custody.broker.broker import Broker
from custody.broker.desk import Desk
from custody.broker.reachable import Outcome
from custody.model.events import MICROSECONDS
from custody.model.times import text
from custody.serve.metrics import CONTENT_TYPE
from custody.serve.parts import Receiving
from custody.serve.passage import Asked, passage_of, shop_of


class Liveness(msgspec.Struct, frozen=True):
    """Whether the process works."""

    live: bool


class BackendHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The last outcome of the calls that this broker really made to a backend; nothing is called to find out.

    ``answers``, ``fails`` (a call failed at ``failed``, and none succeeded since: ``step`` says which, ``reason`` is a
    stable word, ``failures`` how many in a row) or ``unknown``: no call since this broker began that would show it.
    """

    backend: str
    state: Literal["answers", "fails", "unknown"]
    answered: str | None = None
    failed: str | None = None
    step: str = ""
    reason: str = ""
    failures: int = 0


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Whether requests should come here, and why not: ``standby``, ``sealing-lag``, …; beside it, each backend.

    ``receivers`` are those who are told of incidents, where there are any; that one is away changes nothing here.
    """

    ready: bool
    reasons: tuple[str, ...] = ()
    backends: tuple[BackendHealth, ...] = ()
    receivers: tuple[Receiving, ...] | msgspec.UnsetType = msgspec.UNSET


@get("/healthz", tags=["health"])
async def healthz(request: Asked) -> Response[Liveness]:
    """200 while the process works; 503: restart it."""
    live = shop_of(request).parts.health.live()
    return Response(Liveness(live), status_code=200 if live else 503)


@get("/readyz", tags=["health"])
async def readyz(request: Asked) -> Response[Ready]:
    """200 where requests should come here; 503 with the reasons where not. It names the backends that fail, too."""
    shop = shop_of(request)
    found = shop.parts.health.ready()
    passage_of(request.scope).reason = ",".join(found.reasons)
    receivers = shop.parts.receivers() or msgspec.UNSET
    body = Ready(ready=found.ready, reasons=found.reasons, backends=backends_of(shop.desk), receivers=receivers)
    return Response(body, status_code=200 if found.ready else 503)


@get("/metrics", media_type="text/plain", tags=["health"])
async def metrics(request: Asked) -> Response[bytes]:
    """What can be counted, for Prometheus."""
    shop = shop_of(request)
    registry = CollectorRegistry()
    registry.register(_Backends(_outcomes(shop.desk)))
    registry.register(_Receivers(shop.parts.receivers()))
    return Response(shop.metrics.text() + generate_latest(registry), media_type=CONTENT_TYPE)


ROUTES: list[HTTPRouteHandler] = [healthz, readyz, metrics]


def backends_of(desk: Desk) -> tuple[BackendHealth, ...]:
    """How the backends are, by name."""
    return tuple(map(_health, _outcomes(desk)))


def _outcomes(desk: Desk) -> Sequence[Outcome]:
    """What the broker remembers; another desk has no backends of its own."""
    if not isinstance(desk, Broker):
        return ()
    running = desk.running
    return [running.reachable.of(name) for name in sorted(running.parts.backends)]


def _health(found: Outcome) -> BackendHealth:
    called: Literal["answers", "unknown"] = "unknown" if found.answered is None else "answers"
    return BackendHealth(
        backend=found.backend,
        state=called if found.failed is None else "fails",
        answered=text(found.answered),
        failed=text(found.failed),
        step=found.step,
        reason=found.reason,
        failures=found.failures,
    )


class _Backends(Collector):
    """The same for Prometheus; the names of backends are those of the broker file."""

    def __init__(self, found: Sequence[Outcome]) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        """One gauge a fact; a time that is not known has no sample."""
        failing = GaugeMetricFamily(
            "custody_backend_failing", "1: the last call failed; 0: it did not", labels=("backend", "reason")
        )
        answered = GaugeMetricFamily(
            "custody_backend_answered_timestamp_seconds", "When a call last did what it should", labels=("backend",)
        )
        failed = GaugeMetricFamily(
            "custody_backend_failed_timestamp_seconds", "When the call failed that none followed", labels=("backend",)
        )
        for each in self._found:
            if each.failed is not None:
                failed.add_metric((each.backend,), each.failed / MICROSECONDS)
            if each.answered is not None:
                answered.add_metric((each.backend,), each.answered / MICROSECONDS)
            if each.failed is not None or each.answered is not None:
                failing.add_metric((each.backend, each.reason), float(each.failed is not None))
        yield from (failing, answered, failed)


class _Receivers(Collector):
    """Those who are told of incidents, for Prometheus; their names are those of the response file."""

    def __init__(self, found: Sequence[Receiving]) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        """Nothing where there is no receiver."""
        if not self._found:
            return
        told = CounterMetricFamily("custody_incident_told", "Steps that a receiver took", labels=("receiver",))
        failed = CounterMetricFamily(
            "custody_incident_telling_failed", "Turns in which a receiver could not be told all", labels=("receiver",)
        )
        behind = GaugeMetricFamily("custody_incident_behind", "Steps that wait for a receiver", labels=("receiver",))
        aside = GaugeMetricFamily(
            "custody_incident_set_aside", "Steps that a receiver refused for good", labels=("receiver",)
        )
        for each in self._found:
            labels = (each.receiver,)
            told.add_metric(labels, float(each.told))
            failed.add_metric(labels, float(each.failed))
            behind.add_metric(labels, float(each.behind))
            aside.add_metric(labels, float(each.aside))
        yield from (told, failed, behind, aside)
