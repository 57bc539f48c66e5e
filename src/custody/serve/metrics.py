"""What can be counted, for Prometheus: in a registry of the service's own, with labels from bounded lists."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from custody.serve.parts import Gauges

METHODS = frozenset({"GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"})
CONTENT_TYPE = "text/plain; version=0.0.4"
"""Of the text format; the service adds the character set."""

_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The counters. Routes are templates, methods and outcomes are from lists: a caller cannot make new series."""

    def __init__(self, gauges: Callable[[], Gauges]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "custody_http_requests", "Requests answered", ("method", "route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "custody_issuance_seconds",
            "From a whole request for a credential to its answer, where one was handed over",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._decisions = Counter(
            "custody_decisions",
            "Requests for a credential by what became of them",
            ("outcome",),
            registry=self._registry,
        )
        leases = Gauge("custody_leases_live", "Credentials that live", registry=self._registry)
        leases.set_function(lambda: gauges().leases)
        lag = Gauge("custody_sealing_lag_seconds", "Age of the oldest line not sealed yet", registry=self._registry)
        lag.set_function(lambda: gauges().lag)
        self._known: dict[tuple[str, str, int], Counter] = {}

    def answered(self, method: str, route: str, status: int) -> None:
        """Count a request."""
        key = (method if method in METHODS else "OTHER", route, status)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._requests.labels(key[0], route, str(status))
        found.inc()

    def decided(self, outcome: str) -> None:
        """Count what became of a request for a credential: ``issued``, or the kind of the refusal."""
        self._decisions.labels(outcome).inc()

    def issued(self, seconds: float) -> None:
        """Count a credential that is handed over, and how long it took."""
        self._seconds.observe(seconds)
        self._decisions.labels("issued").inc()

    def text(self) -> bytes:
        """All of it in the text format of Prometheus."""
        return generate_latest(self._registry)
