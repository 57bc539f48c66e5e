"""The entries of custody's logs: their exact bytes, and that nothing else is read."""

import json
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.errors import LogError
from custody.ledger.entry import (
    AcquisitionEntry,
    RecordEntry,
    SegmentEntry,
    StatementEntry,
    acquisition_entry,
    decode,
    is_segment,
    record_entry,
    segment_entry,
    statement_entry,
)
from custody.ledger.tiles import MAX_ENTRY
from custody.model.records import Acquisition

A, B = "a" * 64, "b" * 64
ACQUISITION = Acquisition(
    path="logs/é.json.gz", member=None, received=A, received_size=10, content=B, content_size=20, problem=None
)
RECORD = (
    b'{"v":1,"kind":"record","source":"s","scheme":"s/1","id":"x","kept":"' + A.encode() + b'","file":3,"at":4,"len":5}'
)
TEXT = st.text(st.characters(codec="utf-8"))
COUNT = st.integers(0, (1 << 63) - 1)


def test_a_record_entry_has_exactly_these_bytes() -> None:
    assert record_entry("s", "s/1", "x", A, 3, 4, 5) == RECORD
    assert decode(RECORD) == RecordEntry("s", "s/1", "x", A, 3, 4, 5)


def test_an_acquisition_entry_has_exactly_these_bytes() -> None:
    entry = acquisition_entry(ACQUISITION, by="ana", version="0.1.0", at="2026-11-22T09:00:00Z")
    assert entry.decode() == (
        '{"v":1,"kind":"acquisition","path":"logs/é.json.gz","member":null,'
        f'"received":"{A}","received_size":10,"content":"{B}","content_size":20,"problem":null,'
        '"by":"ana","version":"0.1.0","at":"2026-11-22T09:00:00Z"}'
    )
    decoded = decode(entry)
    assert isinstance(decoded, AcquisitionEntry)
    assert (decoded.path, decoded.received_size, decoded.by) == ("logs/é.json.gz", 10, "ana")


def test_a_segment_entry_has_exactly_these_bytes() -> None:
    entry = segment_entry("0-9.parquet", A, 0, 9, [(0, 9, 1, 1), (3, 2, 0, 0)])
    assert entry.decode() == (
        f'{{"v":1,"kind":"segment","file":"0-9.parquet","sha256":"{A}","first":0,"end":9,'
        '"files":[[0,9,1,1],[3,2,0,0]]}'
    )
    assert decode(entry) == SegmentEntry("0-9.parquet", A, 0, 9, ((0, 9, 1, 1), (3, 2, 0, 0)))
    assert is_segment(entry)
    assert not is_segment(RECORD)


def test_a_segment_without_records_has_no_file() -> None:
    entry = segment_entry(None, None, 7, 7, [])
    assert entry == b'{"v":1,"kind":"segment","file":null,"sha256":null,"first":7,"end":7,"files":[]}'
    assert decode(entry) == SegmentEntry(None, None, 7, 7, ())


def test_a_statement_entry_keeps_the_order_of_its_fields() -> None:
    entry = statement_entry("export", {"z": 1, "a": [True, None, {"é": "\n"}]})
    assert entry.decode() == '{"v":1,"kind":"statement","what":"export","z":1,"a":[true,null,{"é":"\\n"}]}'
    assert decode(entry) == StatementEntry("export", {"z": 1, "a": [True, None, {"é": "\n"}]})


def test_text_is_escaped_as_little_as_json_allows() -> None:
    text = "".join(map(chr, range(0x81))) + '"\\/é\u2028\U0001f600'
    entry = record_entry("s", "s/1", text, A, 0, 0, 0)
    assert json.dumps(text, ensure_ascii=False).encode() in entry
    decoded = decode(entry)
    assert isinstance(decoded, RecordEntry)
    assert decoded.id == text


@given(TEXT, TEXT, TEXT, COUNT, COUNT, COUNT)
def test_a_record_entry_is_the_compact_json_of_its_values(
    source: str, scheme: str, name: str, file: int, at: int, length: int
) -> None:
    entry = record_entry(source, scheme, name, A, file, at, length)
    value = {
        "v": 1,
        "kind": "record",
        "source": source,
        "scheme": scheme,
        "id": name,
        "kept": A,
        "file": file,
        "at": at,
        "len": length,
    }
    assert entry == json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    assert decode(entry) == RecordEntry(source, scheme, name, A, file, at, length)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXT.filter(lambda name: name not in {"v", "kind", "what"}), _VALUES, max_size=5))
def test_a_statement_survives_its_bytes(fields: dict[str, object]) -> None:
    assert decode(statement_entry("what", fields)) == StatementEntry("what", fields)


class Colour(StrEnum):
    RED = "red"


def test_a_named_text_is_a_text() -> None:
    assert b'"colour":"red"' in statement_entry("w", {"colour": Colour.RED})


def test_a_long_entry_is_refused_by_either_way_of_writing() -> None:
    room = MAX_ENTRY - len(RECORD) + 1
    assert len(record_entry("s", "s/1", "x" * room, A, 3, 4, 5)) == MAX_ENTRY
    for text in ("x" * (room + 1), "é" * room):
        with pytest.raises(LogError, match="too long"):
            record_entry("s", "s/1", text, A, 3, 4, 5)
    with pytest.raises(LogError, match="too long"):
        statement_entry("w", {"text": "x" * MAX_ENTRY})
    with pytest.raises(LogError, match="too long"):
        segment_entry(None, None, 0, 0, [(number, 65_536, 0, 1) for number in range(5000)])


def test_half_a_surrogate_is_refused() -> None:
    with pytest.raises(LogError, match="not Unicode"):
        record_entry("s", "s/1", "\ud800", A, 0, 0, 0)
    with pytest.raises(LogError, match="cannot be written"):
        statement_entry("w", {"text": "\ud800"})


@pytest.mark.parametrize("value", [1.0, float("nan"), 1 << 63, -(1 << 63) - 1, b"x", {1: 2}, {"a": [1.5]}, object()])
def test_a_statement_holds_text_and_integers_only(value: object) -> None:
    with pytest.raises(LogError, match="not a value of a statement"):
        statement_entry("w", {"field": value})


@pytest.mark.parametrize("name", ["v", "kind", "what"])
def test_a_statement_cannot_replace_its_head(name: str) -> None:
    with pytest.raises(LogError, match="a field of every entry"):
        statement_entry("w", {name: 1})


def test_a_deep_statement_is_refused() -> None:
    value: object = None
    for _ in range(100_000):
        value = [value]
    with pytest.raises(LogError):
        statement_entry("w", {"field": value})
    with pytest.raises(LogError):
        decode(b'{"v":1,"kind":"statement","what":' + b"[" * 60_000)


_STATEMENT = statement_entry("w", {"a": 1, "b": "é"})
_SEGMENT = segment_entry("f", A, 0, 1, [(0, 1, 0, 1)])
_ACQUISITION = acquisition_entry(ACQUISITION, by="b", version="1", at="t")


@pytest.mark.parametrize(
    ("entry", "old", "new"),
    [
        (RECORD, b'"v":1', b'"v":2'),
        (RECORD, b'"v":1,', b""),
        (RECORD, b'"record"', b'"recorded"'),
        (RECORD, b'"kind":"record","source":"s"', b'"source":"s","kind":"record"'),
        (RECORD, b'"scheme":"s/1","id":"x"', b'"id":"x","scheme":"s/1"'),
        (RECORD, b'"id":"x"', b'"id": "x"'),
        (RECORD, b'"id":"x"', b'"id":"\\u0078"'),
        (RECORD, b'"id":"x"', b'"id":"x","id":"x"'),
        (RECORD, b'"id":"x"', b'"id":"x","more":1'),
        (RECORD, b'"id":"x"', b'"id":"\\ud800"'),
        (RECORD, b'"id":"x"', b'"id":"\xff"'),
        (RECORD, b'"id":"x"', b'"id":null'),
        (RECORD, b'"id":"x",', b""),
        (RECORD, A.encode(), A[:-1].encode()),
        (RECORD, A.encode(), A.upper().encode()),
        (RECORD, b'"at":4', b'"at":-4'),
        (RECORD, b'"at":4', b'"at":04'),
        (RECORD, b'"at":4', b'"at":4.0'),
        (RECORD, b'"at":4', b'"at":4e0'),
        (RECORD, b'"at":4', b'"at":true'),
        (RECORD, b'"at":4', b'"at":"4"'),
        (RECORD, b'"len":5}', b'"len":5} '),
        (RECORD, b'"len":5}', b'"len":5}\n'),
        (RECORD, b'"len":5}', b'"len":5'),
        (RECORD, b'{"v"', b' {"v"'),
        (_STATEMENT, b'"a":1', b'"a":1.0'),
        (_STATEMENT, b'"a":1', b'"a":NaN'),
        (_STATEMENT, b'"a":1', b'"a":1,"a":1'),
        (_STATEMENT, b'"a":1', b'"a":1,"v":1'),
        (_STATEMENT, b'"a":1', b'"a":1,"what":"w"'),
        (_STATEMENT, b'"a":1', b'"a":9223372036854775808'),
        (_STATEMENT, "é".encode(), b"\\u00e9"),
        (_STATEMENT, b'"what":"w"', b'"what":1'),
        (_STATEMENT, b'"what":"w",', b""),
        (_SEGMENT, b'"first":0', b'"first":-1'),
        (_SEGMENT, b"[[0,1,0,1]]", b"[[0,1,0]]"),
        (_SEGMENT, b"[[0,1,0,1]]", b"[[0,1,0,2]]"),
        (_SEGMENT, b"[[0,1,0,1]]", b"[[0,1,0,1,1]]"),
        (_SEGMENT, A.encode(), b"abc"),
        (_ACQUISITION, b'"member":null,', b""),
        (_ACQUISITION, b'"received_size":10', b'"received_size":"10"'),
    ],
)
def test_only_the_one_form_is_read(entry: bytes, old: bytes, new: bytes) -> None:
    assert entry.count(old) == 1
    decode(entry)
    with pytest.raises(LogError):
        decode(entry.replace(old, new))


@pytest.mark.parametrize("entry", [b"", b"{}", b"null", b'{"v":1}', b'{"v":1,"kind":"record",', b"\xff", b"[" * 60_000])
def test_what_is_no_entry_is_refused(entry: bytes) -> None:
    with pytest.raises(LogError):
        decode(entry)


@given(st.binary(max_size=60), st.sampled_from([b"record", b"segment", b"statement", b"acquisition"]))
def test_any_bytes_are_an_entry_or_a_log_error(data: bytes, kind: bytes) -> None:
    with pytest.raises(LogError):
        decode(b'{"v":1,"kind":"' + kind + b'",' + data + b"\xff")
