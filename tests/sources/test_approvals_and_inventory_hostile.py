"""Approvals, tickets, Teleport and the AWS inventory under hostile bytes: events, a Skip and nothing else."""

import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custody.model.events import SKIP_REASONS, Skip
from custody.sources import aws_credential_report, aws_iam_details, cloudevents_approval, jira, ssf, teleport
from custody.sources.masking import mask
from custody.sources.source import Source

SOURCES = [module.SOURCE for module in (aws_credential_report, aws_iam_details, cloudevents_approval, jira, ssf)]
SOURCES.append(teleport.SOURCE)
CASES = Path(__file__).resolve().parents[1] / "cases"
ODD: list[object] = [None, 0, -1, 1.5, 10**30, True, "", "x", "\x00", "ÿ\u202f", [], [None], {}, {"a": {}}, [[[]]]]
HEADER = b"user,arn,user_creation_time,password_enabled"
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)


def records(source: Source) -> list[bytes]:
    folder = CASES / source.name.replace(".", "_")
    files = [path for path in sorted(folder.glob("*.*")) if not path.name.endswith(".expected.json")]
    assert files
    return [path.read_bytes().rstrip(b"\n") for path in files]


def given_everything(source: Source, raw: bytes, form: str = "delivered") -> None:
    source.recognise(raw)
    identity = source.identify(raw)
    result = source.read(raw, form)
    if isinstance(result, Skip):
        assert result.reason in SKIP_REASONS
    else:
        assert all(event.time > 0 for event in result)
    if identity is not None and not identity.withheld:
        kept = mask(raw, identity.secrets)
        assert source.read(kept, form) == result or not is_utf8(raw)  # the readers let no such bytes through
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


def places(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [at] if at else []
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, entry in entries:
        found += places(entry, (*at, name))
    return found


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
        if raw[:1] != b"{":
            continue
        record = msgspec.json.decode(raw)
        for place in places(record):
            for odd in chosen.sample(ODD, 4):
                given_everything(source, msgspec.json.encode(put(record, place, odd)))


@each_source
def test_flipped_cut_and_doubled_bytes(source: Source) -> None:
    chosen = random.Random(11)
    for raw in records(source):
        for _ in range(12):
            at = chosen.randrange(len(raw))
            given_everything(source, raw[:at] + bytes((chosen.randrange(256),)) + raw[at + 1 :])
            given_everything(source, raw[:at])
            given_everything(source, raw[:at] + raw[at // 2 :])


@each_source
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300), st.text(max_size=40))
def test_any_bytes_in_any_form(source: Source, raw: bytes, form: str) -> None:
    given_everything(source, raw, form)


@each_source
@pytest.mark.parametrize("depth", [500, 5_000, 100_000])
def test_deep_nesting_is_a_skip_or_an_event(source: Source, depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    for raw in records(source)[:3]:
        if raw[:1] == b"{":
            given_everything(source, b'{"data":' + deep + b',"description":' + deep + b"," + raw[1:])


@each_source
def test_lone_surrogates_and_bad_utf8(source: Source) -> None:
    for name in (b"\\ud800", b"\xff\xfe", b"\\udc00\\ud800", b"\xed\xa0\x80", b"\\u0000", b"\x00"):
        for raw in records(source):
            for old in (b"bob", b"alice", b"robot", b"deploy", b"OPS-42", b"idp.example.org"):
                if old in raw:
                    given_everything(source, raw.replace(old, name, 1))


@each_source
def test_numbers_out_of_all_range(source: Source) -> None:
    for number in (b"1e308", b"-1e308", b"1e999", b"9" * 400, b"-1", b"1e-400"):
        for raw in records(source):
            for old in (b"1709287200", b"1709287199", b"1709287200123", b'"ei": 0', b"0,"):
                if old in raw:
                    given_everything(
                        source, raw.replace(old, old.rstrip(b"0123456789,") + number + b"," * (old[-1:] == b","), 1)
                    )


def test_rows_that_are_no_rows() -> None:
    source = aws_credential_report.SOURCE
    row = records(source)[2]
    for raw in (b'"' + row, row.replace(b",", b'","', 3), row + b"\n" + row, row.replace(b",", b";"), b"\xff" + row):
        given_everything(source, raw, f"credential-report {HEADER.decode()}")
        given_everything(source, raw, 'credential-report "user,arn')
    long = row + b"x" * 200_000
    assert isinstance(source.read(long, "credential-report " + HEADER.decode()), Skip)


@each_source
def test_the_sources_here_take_no_record_of_each_other(source: Source) -> None:
    for other in SOURCES:
        for raw in records(other):
            assert source is other or not source.recognise(raw) or source.identify(raw) is None
