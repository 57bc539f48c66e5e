"""Mutated GitHub records: events, a Skip and nothing else, whatever the bytes."""

import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custody.model.events import SKIP_REASONS, Skip
from custody.sources.github_audit import SOURCE as AUDIT
from custody.sources.github_workflow import SOURCE as WORKFLOW
from custody.sources.masking import mask

SOURCES = {source.name.replace(".", "_"): source for source in (AUDIT, WORKFLOW)}
ODD: list[object] = [None, 0, -1, 1.5, 10**30, True, "", "x", "\x00", "ÿ\u202f", [], [None], {}, {"a": {}}, [[[]]]]


def given_everything(raw: bytes) -> None:
    for source in SOURCES.values():
        assert source.recognise(raw) in (True, False)
        identity = source.identify(raw)
        result = source.read(raw, "lines")
        if isinstance(result, Skip):
            assert result.reason in SKIP_REASONS
        else:
            assert len(result) >= 1
        if identity is not None:
            kept = mask(raw, identity.secrets)
            assert source.read(kept, "lines") == result
            again = source.identify(kept)
            assert again is not None
            assert again.id == identity.id


def inputs(cases: Path) -> list[object]:
    files = [file for name in SOURCES for file in sorted((cases / name).glob("*.json"))]
    return [msgspec.json.decode(file.read_bytes()) for file in files if not file.name.endswith(".expected.json")]


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


def test_every_field_of_every_case(cases: Path) -> None:
    chosen = random.Random(7)
    for record in inputs(cases):
        for place in paths(record):
            for odd in chosen.sample(ODD, 4):
                given_everything(msgspec.json.encode(put(record, place, odd)))


def test_flipped_cut_and_doubled_bytes(cases: Path) -> None:
    chosen = random.Random(11)
    for record in inputs(cases):
        raw = msgspec.json.encode(record)
        for _ in range(4):
            at = chosen.randrange(len(raw))
            given_everything(raw[:at] + bytes((chosen.randrange(256),)) + raw[at + 1 :])
            given_everything(raw[:at])
            given_everything(raw[:at] + raw[at // 2 :])


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=400))
def test_any_bytes(raw: bytes) -> None:
    given_everything(raw)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["action", "workflow_run", "workflow_job", "repository", "approver", "alert", "headers", "payload", "event", "iss",
     "jti", "run_id", "environments", "hashed_token", "token_id", "workflow_run_id", "started_at", "created_at", "org"]
)  # fmt: skip


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(FIELDS, VALUES), st.sampled_from(["git.push", "workflows.completed_workflow_run", "completed"]))
def test_any_json_in_any_field(fields: dict[str, object], action: str) -> None:
    base: dict[str, object] = {"action": action, "_document_id": "d", "@timestamp": 1709287200123, "repository": {}}
    given_everything(msgspec.json.encode({**base, **fields}))


@pytest.mark.parametrize("depth", [500, 5_000, 200_000])
def test_deep_nesting_is_a_skip(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    given_everything(b'{"action":"git.push","_document_id":"d","@timestamp":1709287200123,"permissions":' + deep + b"}")
    given_everything(b'{"action":"completed","repository":{},"workflow_run":{"id":1,"more":' + deep + b"}}")


@pytest.mark.parametrize("number", [b"1e308", b"-1e308", b"1e999", b"9" * 400, b"-1", b"0", b"1e-400"])
def test_numbers_out_of_all_range(number: bytes) -> None:
    given_everything(b'{"action":"git.push","_document_id":"d","@timestamp":%s}' % number)
    given_everything(b'{"action":"git.push","_document_id":"d","@timestamp":1709287200123,"token_id":%s}' % number)
    given_everything(
        b'{"iss":"https://token.actions.githubusercontent.com","sub":"s","jti":"j","run_id":"1","iat":%s}' % number
    )


@pytest.mark.parametrize("name", [b"\\ud800", b"\xff\xfe", b"\\udc00\\ud800", b"\xed\xa0\x80"])
def test_lone_surrogates_and_bad_utf8_raise_nothing(name: bytes) -> None:
    given_everything(b'{"action":"git.push","_document_id":"' + name + b'","@timestamp":1709287200123}')
    given_everything(b'{"action":"git.push","_document_id":"d","@timestamp":1709287200123,"name":"' + name + b'"}')
    given_everything(
        b'{"event":"x","delivery":"' + name + b'","payload":{"action":"a","workflow_run":{},"repository":{}}}'
    )
    given_everything(b'{"event":"x","payload":"{\\"action\\":\\"' + name + b'\\",\\"repository\\":{}}"}')
