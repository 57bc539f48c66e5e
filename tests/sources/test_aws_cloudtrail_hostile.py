"""Mutated real records: events, a Skip and nothing else, whatever the bytes."""

import random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custody.model.events import SKIP_REASONS, Skip
from custody.sources.aws_cloudtrail import SOURCE
from custody.sources.masking import mask

SIMPLE: list[object] = [None, 7, "x", [], {}]
ODD: list[object] = [None, 0, -1, 1.5, 10**30, True, "", "x", "\x00", "ÿ\u202f", [], [None], {}, {"a": {}}, [[[]]]]


def given_everything(raw: bytes) -> None:
    identity = SOURCE.identify(raw)
    result = SOURCE.read(raw, "delivered")
    if isinstance(result, Skip):
        assert result.reason in SKIP_REASONS
    else:
        assert len(result) == 1
    if identity is not None:
        kept = mask(raw, identity.secrets)
        assert isinstance(SOURCE.read(kept, "delivered"), (tuple, Skip))
        again = SOURCE.identify(kept)
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


def one_of_each_kind(records: list[bytes]) -> list[object]:
    kinds: dict[tuple[str, str], object] = {}
    for raw in records:
        record = msgspec.json.decode(raw)
        kinds.setdefault((record["eventName"], str(record.get("errorCode"))), record)
    return list(kinds.values())


def test_every_field_of_every_type(real_records: list[bytes]) -> None:
    chosen = random.Random(7)
    for record in one_of_each_kind(real_records):
        places = paths(record)
        for place in chosen.sample(places, min(12, len(places))):
            given_everything(msgspec.json.encode(put(record, place, chosen.choice(ODD))))


def test_every_field_of_the_telling_calls_of_every_type(cases_of_calls: list[object]) -> None:
    for record in cases_of_calls:
        for place in paths(record):
            for odd in SIMPLE:
                given_everything(msgspec.json.encode(put(record, place, odd)))


@pytest.fixture(scope="module")
def cases_of_calls(request: pytest.FixtureRequest) -> list[object]:
    folder = request.getfixturevalue("cases") / "aws_cloudtrail"
    names = ("assume_role", "pod_identity", "roles_anywhere", "run_instances", "nat_two_addresses", "create_access_key")
    return [msgspec.json.decode((folder / f"{name}.json").read_bytes()) for name in names]


def test_flipped_cut_and_doubled_bytes(real_records: list[bytes]) -> None:
    chosen = random.Random(11)
    for raw in real_records[::29]:
        for _ in range(6):
            at = chosen.randrange(len(raw))
            given_everything(raw[:at] + bytes((chosen.randrange(256),)) + raw[at + 1 :])
            given_everything(raw[:at])
            given_everything(raw[:at] + raw[at // 2 :])


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=400))
def test_any_bytes(raw: bytes) -> None:
    given_everything(raw)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["eventID", "eventTime", "eventSource", "eventName", "userIdentity", "requestParameters", "responseElements"]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(FIELDS, VALUES), st.sampled_from(["AssumeRole", "DeleteRole", "RunInstances", "ConsoleLogin"]))
def test_any_json_in_any_field(fields: dict[str, object], action: str) -> None:
    base: dict[str, object] = {
        "eventID": "e",
        "eventTime": "2024-01-01T00:00:00Z",
        "eventSource": {"DeleteRole": "iam", "RunInstances": "ec2"}.get(action, "sts") + ".amazonaws.com",
        "eventName": action,
    }
    given_everything(msgspec.json.encode({**base, **fields}))


@pytest.mark.parametrize("depth", [500, 5_000, 200_000])
def test_deep_nesting_is_a_skip(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    raw = (
        b'{"eventID":"e","eventTime":"2024-01-01T00:00:00Z","eventSource":"s","eventName":"n","requestParameters":'
        + deep
        + b"}"
    )
    given_everything(raw)


def test_numbers_out_of_all_range() -> None:
    raw = (
        b'{"eventID":"e","eventTime":"2024-01-01T00:00:00Z","eventSource":"sts.amazonaws.com","eventName":"AssumeRole",'
        b'"responseElements":{"credentials":{"accessKeyId":"ASIAX","expiration":%s}}}'
    )
    for number in (b"1e308", b"-1e308", b"1e999", b"9" * 400, b"-1", b"0", b"1e-400"):
        result = SOURCE.read(raw % number, "delivered")
        assert isinstance(result, Skip)
        assert result.reason in ("malformed", "not-json")


def test_lone_surrogates_and_bad_utf8_raise_nothing() -> None:
    for name in (b"\\ud800", b"\xff\xfe", b"\\udc00\\ud800", b"\xed\xa0\x80"):
        given_everything(
            b'{"eventID":"' + name + b'","eventTime":"2024-01-01T00:00:00Z","eventSource":"s","eventName":"n"}'
        )
        given_everything(
            b'{"eventID":"e","eventTime":"2024-01-01T00:00:00Z","eventSource":"s","eventName":"n","userAgent":"'
            + name
            + b'"}'
        )
