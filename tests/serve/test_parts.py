"""The small parts by themselves: rates, traces, lines, how errors are shown, headers of caution, health, discovery."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from custody.errors import (
    BackendFailed,
    ContractError,
    CustodyError,
    EvidenceUnavailable,
    IdentityRefused,
    IntentRefused,
    NotFound,
    PolicyDenied,
    StoreLocked,
    UsageError,
)
from custody.serve.lines import Journalist, ServerLog, Sink, clean
from custody.serve.parts import Readiness
from custody.serve.passage import Passage
from custody.serve.problems import described, refusal_of, shown
from custody.serve.rates import Buckets, origin_name
from custody.serve.tracing import Trace, trace_of
from tests.serve.conftest import Service, running
from tests.serve.desk import chain, quiet
from tests.serve.running import Clock, Health, Lines, Random, person

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    buckets = Buckets(rate=2.0, burst=3)

    assert [buckets.take("a", 10.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert [buckets.take("a", 10.5), buckets.take("a", 10.5)] == [0.0, 0.5]
    assert [buckets.take("a", 100.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert buckets.take("b", 10.0) == 0.0


def test_a_clock_that_goes_back_gives_nothing_for_free() -> None:
    buckets = Buckets(rate=1.0, burst=1)

    assert [buckets.take("a", 10.0), buckets.take("a", 5.0), buckets.take("a", 6.0)] == [0.0, 1.0, 0.0]


def test_a_rate_of_nothing_waits_long_and_memory_is_bounded() -> None:
    buckets = Buckets(rate=0.0, burst=1, most=2)

    assert [buckets.take("a", 1.0), buckets.take("a", 9e9)] == [0.0, 3600.0]
    for name in ("b", "c"):
        buckets.take(name, 1.0)
    assert len(buckets._held) == 2
    assert buckets.take("a", 1.0) == 0.0


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (None, ""),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_an_origin_is_an_address_or_a_network_of_one_host(address: str | None, name: str) -> None:
    assert origin_name(address) == name


@pytest.mark.parametrize(
    ("values", "trace"),
    [
        ([f"00-{TRACE}-{SPAN}-01"], (TRACE, SPAN, 1)),
        ([f"00-{TRACE}-{SPAN}-03"], (TRACE, SPAN, 1)),
        ([f"00-{TRACE}-{SPAN}-00"], (TRACE, SPAN, 0)),
        ([f"cc-{TRACE}-{SPAN}-01-more"], (TRACE, SPAN, 1)),
        ([f"cc-{TRACE}-{SPAN}-01"], (TRACE, SPAN, 1)),
        ([f"00-{TRACE}-{SPAN}-01-more"], None),
        ([f"ff-{TRACE}-{SPAN}-01"], None),
        ([f"00-{TRACE.upper()}-{SPAN}-01"], None),
        ([f"00-{'0' * 32}-{SPAN}-01"], None),
        ([f"00-{TRACE}-{'0' * 16}-01"], None),
        ([f"00-{TRACE}-{SPAN}-1"], None),
        ([f" 00-{TRACE}-{SPAN}-01"], None),
        ([f"00-{TRACE}-{SPAN}-01\n"], None),
        ([f"cc-{TRACE}-{SPAN}-01-" + "a" * 600], None),
        ([f"00-{TRACE}-{SPAN}-01"] * 2, None),
        ([""], None),
        ([], None),
    ],
)
def test_a_trace_is_taken_up_exactly_or_not_at_all(values: list[str], trace: tuple[str, str, int] | None) -> None:
    found = trace_of([each.encode() for each in values], Random())

    if trace is None:
        assert (found.parent, found.flags) == (None, 0)
        assert found.id != TRACE
    else:
        assert (found.id, found.parent, found.flags) == trace
    assert found.span != SPAN
    assert trace_of([found.header()], Random()).id == found.id


def test_the_trace_comes_back_with_the_services_own_span(service: Service) -> None:
    answer = service.client.get("/healthz", headers={"traceparent": f"00-{TRACE}-{SPAN}-01"})
    version, trace, span, flags = answer.headers["traceparent"].split("-")

    assert (version, trace, flags) == ("00", TRACE, "01")
    assert span != SPAN
    assert service.lines.last()["trace"] == TRACE


def test_spans_are_below_the_callers_and_named_by_their_route(tmp_path: Path) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    with running(tmp_path, tracer=provider.get_tracer("custody")) as service:
        service.client.get(f"/leases/{chain(1)}?must-not-stay=1", headers={"traceparent": f"00-{TRACE}-{SPAN}-01"})
        with service.desk.failing(RuntimeError("must-not-stay")):
            service.client.get("/leases", headers=person("admin"))
    provider.shutdown()

    first, second = spans.get_finished_spans()
    assert (first.name, first.parent and f"{first.parent.span_id:016x}") == ("GET /leases/{chain}", SPAN)
    assert first.context is not None
    assert f"{first.context.trace_id:032x}" == TRACE
    assert (second.name, second.parent, second.status.is_ok) == ("GET /leases", None, False)
    assert "must-not-stay" not in first.to_json() + second.to_json()


@given(st.text())
def test_a_name_from_outside_stays_on_its_line(name: str) -> None:
    found = clean(name)

    assert found.isascii()
    assert found.isprintable()
    assert len(found) <= 256


def test_a_line_holds_what_happened_and_nothing_that_was_sent() -> None:
    lines = Lines()
    passage = Passage(Trace(TRACE, SPAN), "192.0.2.1")
    passage.status, passage.reason = 200, 'a"\n{"level":"fake"}\u202e\x85'
    Journalist(Clock(), lines).answered(passage, "GE\r\nT", "/leases", 0.0123456)

    (line,) = lines.raw
    assert line.isascii()
    assert b"\n" not in line
    assert json.loads(line) == {
        "at": "2026-09-21T14:13:20Z",
        "level": "info",
        "event": "request",
        "trace": TRACE,
        "method": "GE\\r\\nT",
        "route": "/leases",
        "status": 200,
        "ms": 12.346,
        "origin": "192.0.2.1",
        "reason": 'a"\\n{"level":"fake"}\\u202e\\x85',
    }


def test_lines_of_a_moment_are_written_together() -> None:
    stream = io.BytesIO()
    sink = Sink(stream, gather=0.01)
    sink(b"alone")
    assert stream.getvalue() == b"alone\n"

    async def several() -> bytes:
        sink(b"one")
        sink(b"two")
        before = stream.getvalue()
        await asyncio.sleep(0.05)
        return before

    assert asyncio.run(several()) == b"alone\n"
    assert stream.getvalue() == b"alone\none\ntwo\n"


def test_what_the_server_says_is_a_line_without_its_arguments() -> None:
    lines = Lines()
    logger = logging.getLogger("tests.serve.server")
    logger.propagate = False
    logger.handlers[:] = [ServerLog(Journalist(Clock(), lines))]
    logger.warning("Invalid %s", "must-not-stay")
    try:
        raise ValueError("must-not-stay")
    except ValueError:
        logger.exception("Exception\nin it")

    first, second = lines.all()
    assert (first["event"], first["told"], first["level"]) == ("server", "Invalid %s", "warning")
    assert str(second["told"]).startswith("ValueError at test_parts.py:")
    assert b"must-not-stay" not in b"".join(lines.raw)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (IdentityRefused("m", reason="wrong-audience"), 401, "wrong-audience"),
        (IntentRefused("m", reason="unknown-backend"), 400, "unknown-backend"),
        (IntentRefused("m", reason="idempotency-key-used"), 422, "idempotency-key-used"),
        (PolicyDenied("m", reason="contained"), 403, "contained"),
        (BackendFailed("m", reason="timeout"), 502, "timeout"),
        (EvidenceUnavailable("m", reason="journal-failed"), 503, "journal-failed"),
        (NotFound("m"), 404, "not-found"),
        (UsageError("m"), 400, "usage-error"),
        (ContractError("m"), 400, "contract-error"),
        (StoreLocked("m"), 503, "store-locked"),
        (CustodyError("m"), 500, "custody-error"),
    ],
)
def test_every_error_of_the_tree_is_a_problem(service: Service, error: CustodyError, status: int, reason: str) -> None:
    with service.desk.failing(error):
        answer = service.client.get("/leases", headers=person("admin"))

    shown_ = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert shown_["type"] == f"urn:custody:problem:{reason}"
    assert (shown_["status"], shown_["reason"], shown_["detail"]) == (status, reason, "m")
    assert shown_["instance"] == service.lines.last()["trace"]
    assert set(shown_) <= {"type", "title", "status", "detail", "instance", "reason"}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (IdentityRefused("m", reason="r"), False),
        (BackendFailed("m", reason="r"), False),
        (EvidenceUnavailable("m", reason="r"), False),
        (StoreLocked("m"), False),
        (CustodyError("m"), False),
        (PolicyDenied("m", reason="r"), True),
        (IntentRefused("m", reason="r"), True),
    ],
)
def test_what_was_found_goes_out_only_where_it_is_the_callers_business(error: CustodyError, told: bool) -> None:
    error.found = "must-not-stay"

    assert ("must-not-stay" in refusal_of(error).detail) == told


def test_where_an_error_arose_never_goes_out() -> None:
    assert "must-not-stay" not in refusal_of(quiet(BackendFailed("m", reason="r"))).problem("t").decode()
    error = PolicyDenied("m", reason="r", where="must-not-stay")
    assert "must-not-stay" not in refusal_of(error).problem("t").decode()


@given(st.text())
def test_texts_that_go_out_are_bounded_and_plain(told: str) -> None:
    assert shown(told).isprintable()
    assert len(shown(told)) <= 1000
    assert all(" " <= each <= "~" and each not in '"\\' for each in described(told))


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/leases/a/b/c", 404, "not-found"),
        ("PUT", "/token", 405, "method-not-allowed"),
        ("DELETE", "/leases", 405, "method-not-allowed"),
        ("TRACE", "/leases", 405, "method-not-allowed"),
    ],
)
def test_what_there_is_not_is_a_problem_too(service: Service, method: str, path: str, status: int, reason: str) -> None:
    answer = service.client.request(method, path)

    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert ("allow" in answer.headers) == (status == 405)
    assert service.lines.last()["route"] == "(none)"


@pytest.mark.parametrize("path", ["/healthz", "/nothing", "/leases", "/docs", "/metrics", "/.well-known/jwks.json"])
def test_every_answer_has_the_headers_of_caution(service: Service, path: str) -> None:
    headers = service.client.get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers.get_list("cache-control") in (["no-store"], ["public, max-age=300"])
    assert "strict-transport-security" not in headers
    assert "server" not in headers
    assert "access-control-allow-origin" not in headers


def test_health_is_what_the_broker_says_of_itself(service: Service) -> None:
    health = service.parts.health
    assert isinstance(health, Health)
    assert service.client.get("/healthz").json() == {"live": True}
    assert service.client.get("/readyz").json() == {"ready": True, "reasons": [], "backends": []}

    health.alive, health.readiness = False, Readiness(ready=False, reasons=("standby", "disk"))
    dead, waiting = service.client.get("/healthz"), service.client.get("/readyz")
    health.alive, health.readiness = True, Readiness(ready=True)
    assert (dead.status_code, dead.json()) == (503, {"live": False})
    assert (waiting.status_code, waiting.json()["reasons"]) == (503, ["standby", "disk"])
    assert service.lines.last()["reason"] == "standby,disk"


def test_keys_and_metadata_are_given_as_they_are_now(service: Service) -> None:
    keys = service.client.get("/.well-known/jwks.json")
    metadata = service.client.get("/.well-known/oauth-authorization-server")

    assert keys.headers["content-type"] == "application/jwk-set+json"
    assert keys.json()["keys"][0]["kid"] == "one"
    assert metadata.json()["token_endpoint"] == "https://broker.example/token"
    assert service.client.get("/.well-known/openid-configuration").status_code == 404


def test_callers_cannot_make_new_series(service: Service) -> None:
    for name in range(3):
        service.client.get(f"/must-not-stay-{name}")
        service.client.request(f"ODD{name}", f"/leases/must-not-stay-{name}")
    text = service.client.get("/metrics").text

    assert "must-not-stay" not in text
    assert 'custody_http_requests_total{method="GET",route="(none)",status="404"}' in text
    assert 'method="OTHER"' in text
    assert "ODD" not in text
    assert "custody_leases_live 3.0" in text
    assert "custody_sealing_lag_seconds 0.5" in text


def test_a_problem_is_what_its_rfc_says() -> None:
    raw = refusal_of(NotFound("no such lease")).problem(TRACE)

    assert msgspec.json.decode(raw) == {
        "type": "urn:custody:problem:not-found",
        "title": "Not found",
        "status": 404,
        "detail": "no such lease",
        "instance": TRACE,
        "reason": "not-found",
    }
