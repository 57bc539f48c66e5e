"""OTLP batches: what no case can say as data: size, mutation, order, and the published samples."""

import random
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custody.model.events import SKIP_REASONS, Asserter, Event, Skip, Stage
from custody.sources.masking import mask
from custody.sources.otel_otlp import SOURCE, names, secrets, telling
from custody.sources.otel_otlp.context import NAMES

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/data/samples/otel"
CASES = Path(__file__).resolve().parents[1] / "cases" / "otel_otlp"
TRACE = "5b8efff798038103d269b633813fc60c"
MUST_GO = b"must-not-stay"


def attribute(key: str, value: object) -> dict[str, object]:
    return {"key": key, "value": value if isinstance(value, dict) else {"stringValue": value}}


def span(number: int, parent: int | None, **attributes: object) -> dict[str, object]:
    return {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "parentSpanId": "" if parent is None else f"{parent:016x}",
        "name": "x",
        "startTimeUnixNano": "1767607200000000000",
        "endTimeUnixNano": "1767607201000000000",
        "attributes": [attribute(key.replace("__", "."), value) for key, value in attributes.items()],
    }


def batch(*spans: dict[str, object]) -> bytes:
    resource = {"attributes": [attribute("service.name", "assistant")]}
    return msgspec.json.encode({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]})


def events_of(raw: bytes) -> tuple[Event, ...]:
    read = SOURCE.read(raw, "lines")
    assert isinstance(read, tuple), read
    return read


def kept_of(raw: bytes) -> bytes:
    identity = SOURCE.identify(raw)
    assert identity is not None
    return mask(raw, identity.secrets)


def given_everything(raw: bytes) -> None:
    identity = SOURCE.identify(raw)
    result = SOURCE.read(raw, "lines")
    assert isinstance(SOURCE.recognise(raw), bool)
    assert not isinstance(result, Skip) or result.reason in SKIP_REASONS
    if identity is not None:
        kept = mask(raw, identity.secrets)
        again = SOURCE.identify(kept)
        assert again is not None
        assert again.id == identity.id
        assert mask(kept, again.secrets) == kept
        assert isinstance(SOURCE.read(kept, "lines"), (tuple, Skip))


@pytest.mark.parametrize(("name", "expected"), [("trace.json", "I'm a server span"), ("logs.json", "log")])
def test_published_samples(name: str, expected: str) -> None:
    if not SAMPLES.is_dir():
        pytest.skip("needs the OTLP samples in ../shared/data/samples/otel")
    (event,) = events_of((SAMPLES / name).read_bytes().strip())
    assert event.action == expected
    assert event.service == "my.service"
    assert event.trace == "5b8efff798038103d269b633813fc60c"
    assert event.time in (1_544_712_660_000_000, 1_544_712_660_300_000)


def test_everything_that_a_part_says_is_self_reported() -> None:
    parts = 0
    for path in CASES.glob("*.expected.json"):
        for event in msgspec.json.decode(path.read_bytes()).get("events", []):
            parts += len(event["parts"])
            assert all(part["asserter"] == Asserter.SELF_REPORTED.value for part in event["parts"])
            assert event["parts"] or "principal" not in event
    assert parts > 20


def test_no_attribute_that_is_read_is_one_that_is_masked() -> None:
    for name in names.OF_SPANS | NAMES:
        assert not secrets.is_telling(name), name


def test_ten_thousand_spans_take_time_in_proportion() -> None:
    def seconds(count: int) -> float:
        raw = batch(*(span(n + 1, n or None, gen_ai__prompt="must-not-stay", note="text") for n in range(count)))
        before = time.process_time()
        kept = kept_of(raw)
        assert MUST_GO not in kept
        assert len(events_of(kept)) == count
        return time.process_time() - before

    small, large = min(seconds(1000) for _ in range(3)), seconds(10_000)
    assert large < 25 * small


def test_ten_thousand_agents_in_one_another_and_in_a_ring() -> None:
    chain = [span(n + 1, n or None, gen_ai__operation__name="execute_tool") for n in range(10_000)]
    chain[0] = span(1, None, gen_ai__operation__name="invoke_agent")
    calls = [part.key for event in events_of(batch(*chain)) for part in event.parts if part.stage is Stage.CHANGE]
    assert calls == [f"agent_task:assistant:{TRACE}/{1:016x}"] * 9_999
    ring = [span(n + 1, (n + 1) % 1000 + 1, gen_ai__operation__name="execute_tool") for n in range(1000)]
    related = {part.key for event in events_of(batch(*ring)) for part in event.parts}
    assert f"otel_span:w3c:{TRACE}/{2:016x}" in related
    assert len(related) == 1000


def test_the_order_of_spans_does_not_matter() -> None:
    spans = [
        span(1, None, gen_ai__operation__name="invoke_agent"),
        span(2, 1),
        span(3, 2, gen_ai__operation__name="execute_tool", gen_ai__tool__name="t"),
    ]
    forward, backward = events_of(batch(*spans)), events_of(batch(*reversed(spans)))
    assert sorted(map(repr, forward)) == sorted(map(repr, backward))


def test_times_of_both_spellings() -> None:
    text, number = span(1, None), span(1, None)
    number["startTimeUnixNano"], number["endTimeUnixNano"] = 1767607200000000000, 1767607201000000000
    assert events_of(batch(text)) == events_of(batch(number))


def listed(*values: object) -> dict[str, object]:
    return {"arrayValue": {"values": list(values)}}


def nested(*pairs: dict[str, object]) -> dict[str, object]:
    return {"kvlistValue": {"values": list(pairs)}}


HIDDEN: dict[str, object] = {"stringValue": "must-not-stay"}


@pytest.mark.parametrize(
    "secret",
    [
        {"key": "gen_ai.prompt", "value": HIDDEN},
        {"value": HIDDEN, "key": "gen_ai.completion"},
        {"key": "gen_ai.prompt", "note": 1, "value": HIDDEN},
        {"key": "gen_ai.output.messages", "value": listed({"intValue": 7}, HIDDEN)},
        {"key": "gen_ai.tool.call.result", "value": {"bytesValue": "must-not-stay"}},
        {"key": "http.request.header.x-any", "value": listed(HIDDEN)},
        {"key": "HTTP.Response.Header.Set-Cookie", "value": HIDDEN},
        {"key": "my.password", "value": nested(attribute("n", HIDDEN), attribute("m", {"doubleValue": 1.5}))},
        {"key": "url.full", "value": listed({"stringValue": "https://a.example.org/?q=must-not-stay"})},
        {"key": "outer", "value": nested({"key": "gen_ai.prompt", "value": HIDDEN})},
        {"key": "gen_ai.prompt." + "x" * 300, "value": HIDDEN},
        {"key": "input.value", "value": {"stringValue": 'a " quote \\ and must-not-stay'}},
    ],
)
def test_what_must_go_wherever_it_stands(secret: dict[str, object]) -> None:
    one = span(1, None)
    one["attributes"] = [attribute("before", "stays"), secret, attribute("after", "stays too")]
    raw = batch(one)
    kept = kept_of(raw)
    assert MUST_GO not in kept
    assert b'"stays"' in kept
    assert b'"stays too"' in kept
    assert msgspec.json.decode(kept) is not None
    assert events_of(kept) == events_of(raw)
    given_everything(raw)


@pytest.mark.parametrize(
    "text",
    [
        b'{"key":"gen_ai.prompt","value":{"stringValue":"must-not-stay"},"value":{"stringValue":"x"}}',
        b'{"key":"gen_ai.prompt","key":"note","value":{"stringValue":"must-not-stay"}}',
        b'{"key":"note","key":"gen_ai.prompt","value":{"stringValue":"must-not-stay"}}',
    ],
)
def test_a_pair_that_says_a_thing_twice_hides_nothing(text: bytes) -> None:
    raw = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[%s]}]}]}]}' % text
    assert MUST_GO not in kept_of(raw)


def test_the_two_ways_to_find_secrets_agree() -> None:
    for path in sorted(CASES.glob("*.json")):
        raw = path.read_bytes()
        odd = raw.replace(b'"resourceSpans"', b'"note":{"key":"n"},"resourceSpans"', 1)
        assert kept_of(odd).replace(b'"note":{"key":"n"},', b"") == kept_of(raw) if SOURCE.identify(raw) else True


def test_names_of_prose_stay() -> None:
    for name in ("gen_ai.usage.input_tokens", "gen_ai.agent.name", "http.request.method", "gen_ai.request.model"):
        assert telling.kind_of(name.encode()) is None
    assert telling.SHAPES.search(b"basic authentication and bearer tokens") is None


def test_hostile_repetition_is_linear() -> None:
    for text in ("eyJ-" * 50_000, "bearer " * 30_000, "://a:" * 40_000, "token" * 40_000, '\\"key\\":' * 20_000):
        raw = batch(span(1, None, url__full=text, note=text))
        before = time.process_time()
        given_everything(raw)
        assert time.process_time() - before < 5


def test_flipped_cut_and_doubled_bytes() -> None:
    chosen = random.Random(5)
    for path in sorted(CASES.glob("*.json")):
        raw = path.read_bytes()
        for _ in range(8):
            at = chosen.randrange(len(raw))
            given_everything(raw[:at] + bytes((chosen.randrange(256),)) + raw[at + 1 :])
            given_everything(raw[:at])
            given_everything(raw[:at] + raw[at // 2 :])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["key", "value", "attributes", "spans", "scopeSpans", "resource", "stringValue", "traceId"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=16,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(["resourceSpans", "resourceLogs", "resourceMetrics"]), VALUES)
def test_any_json_in_a_batch(member: str, value: object) -> None:
    given_everything(msgspec.json.encode({member: [value]}))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(raw: bytes) -> None:
    given_everything(raw)


@pytest.mark.parametrize("depth", [500, 100_000])
def test_deep_nesting_raises_nothing(depth: int) -> None:
    given_everything(b'{"resourceSpans":[' + b"[" * depth + b"]" * depth + b"]}")
    given_everything(b'{"resourceSpans":[' + b'{"key":"url.full","value":' * depth + b"1" + b"}" * depth + b"]}")
