"""SPIRE, Envoy, OCSF and mapped logs under hostile bytes: events, a Skip and nothing else."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custody.model.events import SKIP_REASONS, Skip
from custody.sources import envoy_access, ocsf, spire
from custody.sources.mapped import source_of
from custody.sources.mapped.file import read_mapping
from custody.sources.masking import mask
from custody.sources.source import Source

CASES = Path(__file__).resolve().parents[1] / "cases"
MAPPED = {source_of(read_mapping(path)[0]): path.parent for path in sorted((CASES / "mapped").glob("*/mapping.*"))}
FOLDERS: dict[Source, Path] = {
    spire.SOURCE: CASES / "spire",
    envoy_access.SOURCE: CASES / "envoy_access",
    ocsf.SOURCE: CASES / "ocsf",
    **MAPPED,
}
ODD: list[object] = [None, 0, -1, 1.5, 1e308, 10**30, True, "", "x", "-", "\x00", "ÿ\u202f", [], [None], {}, {"a": {}}]
each_source = pytest.mark.parametrize("source", FOLDERS, ids=lambda source: source.name)


def records(source: Source) -> list[bytes]:
    files = [path for path in sorted(FOLDERS[source].glob("*.*")) if ".expected" not in path.name]
    return [path.read_bytes().rstrip(b"\n") for path in files if path.stem != "mapping"]


def given_everything(source: Source, raw: bytes, form: str = "lines") -> None:
    source.recognise(raw)
    identity, result = source.identify(raw), source.read(raw, form)
    if isinstance(result, Skip):
        assert result.reason in SKIP_REASONS
    else:
        assert all(event.time > 0 for event in result)
    if identity is None or identity.withheld or not is_utf8(raw):
        return
    kept = mask(raw, identity.secrets)
    assert source.read(kept, form) == result
    again = source.identify(kept)
    assert again is not None
    assert again.id == identity.id
    assert len(identity.id.encode()) <= 256


def is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def places(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if at:
        yield at
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, entry in entries:
        yield from places(entry, (*at, name))


def put(value: object, path: tuple[str | int, ...], odd: object) -> object:
    if not path:
        return odd
    if isinstance(value, dict):
        return {name: put(entry, path[1:], odd) if name == path[0] else entry for name, entry in value.items()}
    assert isinstance(value, list)
    return [put(entry, path[1:], odd) if index == path[0] else entry for index, entry in enumerate(value)]


@each_source
def test_every_field_of_another_type(source: Source) -> None:
    chosen = random.Random(7)
    for raw in records(source):
        if raw[:1] == b"{":
            record = msgspec.json.decode(raw)
            for place in places(record):
                for odd in chosen.sample(ODD, 3):
                    given_everything(source, msgspec.json.encode(put(record, place, odd)))


@each_source
def test_flipped_cut_and_doubled_bytes(source: Source) -> None:
    chosen = random.Random(11)
    for raw in records(source):
        for _ in range(10):
            at = chosen.randrange(len(raw))
            given_everything(source, raw[:at] + bytes((chosen.randrange(256),)) + raw[at + 1 :])
            given_everything(source, raw[:at])
            given_everything(source, raw[:at] + raw[at // 2 :])


@each_source
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.binary(max_size=300), st.text(max_size=40))
def test_any_bytes_in_any_form(source: Source, raw: bytes, form: str) -> None:
    given_everything(source, raw, form)


@each_source
@pytest.mark.parametrize("depth", [500, 5_000, 100_000])
def test_deep_nesting_is_a_skip_or_an_event(source: Source, depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    for raw in [raw for raw in records(source) if raw[:1] == b"{"][:2]:
        given_everything(source, b'{"data":' + deep + b',"token":' + deep + b"," + raw[1:])


@each_source
def test_lone_surrogates_and_bad_utf8(source: Source) -> None:
    for name in (
        b"\\ud800",
        b"\xff\xfe",
        b"\\udc00\\ud800",
        b"\xed\xa0\x80",
        b"\\u0000",
        b"\x00",
        b"\\x00",
        b"\\Uffffffff",
    ):
        for raw in records(source):
            for old in (b"shop", b"example.org", b"orders", b"deploy", b"api"):
                if old in raw:
                    given_everything(source, raw.replace(old, name, 1))


HEADS = {
    "spire": b'time="2026-01-05T10:00:00Z" level=info msg=x subsystem_name=',
    "envoy.access": b'[2026-01-05T10:00:00.123Z] "GET /',
    "mapped.lines": b"ts=2026-01-05T10:00:00Z app=vending id=1 msg=",
}


@each_source
@pytest.mark.parametrize(
    "filler", [b'"', b"\\", b'\\"', b"a=b ", b'" "', b"=", b",", b"/spire/agent/join_token/", b"token=", b" "]
)
def test_long_lines_cost_time_in_proportion(source: Source, filler: bytes) -> None:
    head = HEADS.get(source.name)
    line = filler * (60_000 // len(filler))
    raw = (
        head + line if head else msgspec.json.encode({"xfcc": line.decode(), "response_flags": "-", "start_time": "x"})
    )
    begun = time.perf_counter()
    given_everything(source, raw)
    assert time.perf_counter() - begun < 5
