"""Mutated audit events and objects: an event, a Skip and nothing else, whatever the bytes; and no secret is kept."""

import random
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custody.model.events import SKIP_REASONS, Skip
from custody.model.keys import parse
from custody.sources.kubernetes_audit import SOURCE
from custody.sources.kubernetes_audit.certificates import certificate
from custody.sources.kubernetes_inventory import SOURCE as INVENTORY
from custody.sources.masking import mask
from custody.sources.source import Source

ODD: list[object] = [None, 7, "x", [], {}, True, [None], {"a": {}}, "\x00", 10**30, 1.5]


def given_everything(source: Source, raw: bytes) -> None:
    identity = source.identify(raw)
    result = source.read(raw, "lines")
    if isinstance(result, Skip):
        assert result.reason in SKIP_REASONS
    else:
        for key in (part.key for event in result for part in event.parts if part.key):
            parse(key)
    assert isinstance(source.recognise(raw), bool)
    if identity is not None and not identity.withheld:
        kept = mask(raw, identity.secrets)
        assert source.read(kept, "lines") == result
        again = source.identify(kept)
        assert again is not None
        assert again.id == identity.id


def paths(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [at] if at else []
    if isinstance(value, dict):
        for name, entry in value.items():
            found += paths(entry, (*at, name))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            found += paths(entry, (*at, index))
    return found


def put(value: object, path: tuple[str | int, ...], odd: object) -> object:
    if not path:
        return odd
    if isinstance(value, dict):
        return {name: put(entry, path[1:], odd) if name == path[0] else entry for name, entry in value.items()}
    assert isinstance(value, list)
    return [put(entry, path[1:], odd) if index == path[0] else entry for index, entry in enumerate(value)]


@pytest.mark.parametrize("source", [SOURCE, INVENTORY], ids=lambda source: source.name)
def test_every_field_of_every_type(source: Source, cases: Path) -> None:
    chosen = random.Random(7)
    for path in sorted((cases / source.name.replace(".", "_")).glob("*.json")):
        if path.name.endswith(".expected.json"):
            continue
        record = msgspec.json.decode(path.read_bytes())
        places = paths(record)
        for place in chosen.sample(places, min(24, len(places))):
            given_everything(source, msgspec.json.encode(put(record, place, chosen.choice(ODD))))


@pytest.mark.parametrize("source", [SOURCE, INVENTORY], ids=lambda source: source.name)
def test_flipped_cut_and_doubled_bytes(source: Source, cases: Path) -> None:
    chosen = random.Random(11)
    for path in sorted((cases / source.name.replace(".", "_")).glob("*.json")):
        raw = path.read_bytes().strip()
        for _ in range(4):
            at = chosen.randrange(len(raw))
            for mutant in (
                raw[:at] + bytes((chosen.randrange(256),)) + raw[at + 1 :],
                raw[:at],
                raw[:at] + raw[at // 2 :],
            ):
                assert isinstance(source.read(mutant, "lines"), (tuple, Skip))
                identity = source.identify(mutant)
                assert identity is None or identity.id


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=400))
def test_any_bytes(raw: bytes) -> None:
    given_everything(SOURCE, raw)
    given_everything(INVENTORY, raw)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        "auditID",
        "stage",
        "user",
        "objectRef",
        "requestObject",
        "responseObject",
        "responseStatus",
        "annotations",
        "sourceIPs",
    ]
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(FIELDS, VALUES), st.sampled_from(["create", "update", "delete", "deletecollection", "get"]))
def test_any_json_in_any_field(fields: dict[str, object], verb: str) -> None:
    base: dict[str, object] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": "e",
        "verb": verb,
        "requestReceivedTimestamp": "2024-01-01T00:00:00Z",
    }
    given_everything(SOURCE, msgspec.json.encode({**base, **fields}))


@pytest.mark.parametrize("depth", [500, 5_000, 200_000])
def test_deep_nesting_is_a_skip(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    raw = b'{"kind":"Event","auditID":"e","verb":"get","requestReceivedTimestamp":"2024-01-01T00:00:00Z","x":%s}' % deep
    assert isinstance(SOURCE.read(raw, "lines"), (tuple, Skip))
    identity = SOURCE.identify(raw)
    assert identity is None or identity.id
    assert isinstance(INVENTORY.read(raw, "lines"), Skip)


def test_lone_surrogates_and_bad_utf8_raise_nothing() -> None:
    for name in (b"\\ud800", b"\xff\xfe", b"\\udc00\\ud800", b"\xed\xa0\x80"):
        raw = b'{"kind":"Event","auditID":"%s","verb":"get","requestReceivedTimestamp":"2024-01-01T00:00:00Z"}' % name
        given_everything(SOURCE, raw)
        given_everything(SOURCE, msgspec.json.encode(raw.decode("latin-1")))


@pytest.mark.parametrize(
    "piece",
    [
        b'"secret":{"x":{},',
        b'"secret":{"secretName":"a"},',
        b'"data":{"x":"y"},',
        b"eyJaaaaaaaaaaa.",
        b"eyJaaaaaaaaaaa.eyJ",
        b'\\"secret\\":{\\"name\\":{},',
    ],
)
def test_the_search_for_secrets_takes_time_in_proportion(piece: bytes) -> None:
    def seconds(times: int) -> float:
        raw = b'{"kind":"Secret","auditID":"e","verb":"get","stage":"x","t":"' + piece * times + b'"}'
        began = time.perf_counter()
        SOURCE.identify(raw)
        SOURCE.identify(msgspec.json.encode(raw.decode()))
        return time.perf_counter() - began

    assert seconds(16_000) < 40 * max(seconds(2_000), 0.002)


@pytest.mark.parametrize("text", ["", "=", "////", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t", "é", "a" * 100_000])
def test_what_is_no_certificate_gives_none(text: str) -> None:
    assert certificate(text) is None


def test_a_damaged_certificate_gives_none_or_a_certificate(cases: Path) -> None:
    record = msgspec.json.decode((cases / "kubernetes_audit/certificate_signed.json").read_bytes())
    text = record["responseObject"]["status"]["certificate"]
    chosen = random.Random(3)
    for _ in range(300):
        at = chosen.randrange(len(text))
        found = certificate(text[:at] + chosen.choice("ABCDabcd0123+/=") + text[at + 1 :])
        assert found is None or len(found.digest) == 64
