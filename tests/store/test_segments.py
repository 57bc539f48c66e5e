"""Segments and parts as files: what goes in comes out, one record is cheap to read, and damage is an error of ours."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.errors import NotFound, StoreError
from custody.model.records import PARTS_COLUMNS, Batch
from custody.store.history import Closed
from custody.store.parts import encode_events, encode_skips, events_schema
from custody.store.payloads import OPEN_SEGMENTS, Payloads
from custody.store.segments import ROW_GROUP, Kept, Segment, encode

Rows = Callable[[int, int], list[tuple[str, bytes | None]]]


def opened(data: bytes | memoryview, rows: int) -> Segment:
    return Segment(bytes(data), name="segments/x", rows=rows)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(["delivered", "array"]), st.none() | st.binary(max_size=40)), min_size=1))
def test_what_goes_in_comes_out(rows: list[tuple[str, bytes | None]]) -> None:
    salts = [None if kept is None else bytes([n % 256] * 16) for n, (_, kept) in enumerate(rows)]
    data = encode(7, [form for form, _ in rows], salts, [kept for _, kept in rows])
    found = list(opened(data, len(rows)))
    assert found == [Kept(7 + n, form, salts[n], kept) for n, (form, kept) in enumerate(rows)]


def many(first: int, count: int) -> memoryview:
    return encode(first, ["array"] * count, [bytes(16)] * count, [b"%d" % n for n in range(first, first + count)])


def test_the_same_rows_give_the_same_bytes() -> None:
    assert bytes(many(3, 50)) == bytes(many(3, 50))


def test_one_record_costs_one_row_group() -> None:
    segment = opened(many(0, 3 * ROW_GROUP + 1), 3 * ROW_GROUP + 1)
    assert segment.groups == 4
    assert [len(segment.read(group)) for group in range(4)] == [ROW_GROUP] * 3 + [1]
    assert segment.salts(3) == [bytes(16)]


def test_any_parquet_reader_reads_it(tmp_path: Path) -> None:
    import duckdb

    (tmp_path / "s.parquet").write_bytes(many(5, 2000))
    row = duckdb.sql(f"SELECT count(*), min(leaf), max(leaf), min(octet_length(salt)) FROM '{tmp_path}/s.parquet'")
    assert row is not None
    assert row.fetchall() == [(2000, 5, 2004, 16)]


@pytest.mark.parametrize("harm", ["empty", "truncated", "text", "other columns", "fewer rows", "other groups"])
def test_damage_is_named(harm: str, tmp_path: Path) -> None:
    data, rows = bytes(many(0, 10)), 10
    match harm:
        case "empty":
            data = b""
        case "truncated":
            data = data[:-20]
        case "text":
            data = b"PAR1 not parquet PAR1"
        case "fewer rows":
            rows = 11
        case _:
            table = pq.read_table(pa.BufferReader(data))
            table = table.drop(["salt"]) if harm == "other columns" else table
            pq.write_table(table, tmp_path / "x", row_group_size=3)
            data = (tmp_path / "x").read_bytes()
    with pytest.raises(StoreError, match="segments/x"):
        opened(data, rows)


def test_a_flipped_bit_is_an_error_of_ours_or_another_value() -> None:
    data, refused = bytes(many(0, 20)), 0
    for at in range(4, len(data), 3):
        try:
            list(opened(data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :], 20))
        except StoreError:
            refused += 1

    assert refused > 100


def test_payloads_are_found_across_many_segments(tmp_path: Path) -> None:
    closed: list[Closed] = []
    payloads = Payloads(tmp_path, closed)
    with pytest.raises(NotFound):
        payloads.kept(0)
    for number in range(OPEN_SEGMENTS + 5):
        first = number * 12
        (tmp_path / f"{number}").write_bytes(many(first, 10))
        closed.append(Closed(first + 10, f"{number}", "0" * 64, first, first + 10))
        closed.append(Closed(first + 11, None, None, first + 11, first + 11))
    for leaf in [*range(0, 12 * (OPEN_SEGMENTS + 5), 7), 3]:
        if leaf % 12 < 10:
            assert payloads.kept(leaf).kept == b"%d" % leaf
            assert payloads.salt(leaf) == bytes(16)
        else:
            with pytest.raises(NotFound, match=str(leaf)):
                payloads.kept(leaf)
    payloads.close()


def test_a_missing_segment_is_said_plainly(tmp_path: Path) -> None:
    payloads = Payloads(tmp_path, [Closed(1, "gone", "0" * 64, 0, 1)])
    with pytest.raises(StoreError, match="missing") as caught:
        payloads.kept(0)
    assert "verify" in caught.value.advice


def read(data: memoryview | None) -> pa.Table:
    assert data is not None
    return pq.read_table(pa.BufferReader(bytes(data)))


def test_events_have_the_columns_of_a_part_with_leaf_for_row(batch: Callable[..., Batch], rows: Rows) -> None:
    parts = batch(1, rows(0, 5)).parts
    table = read(encode_events([(parts, np.array([10, -1, 11, -1, 12]))]))
    assert table.schema.equals(events_schema())
    assert table.schema.names == ["leaf", *[name for name in PARTS_COLUMNS if name != "row"]]
    assert table["leaf"].to_pylist() == [10, 11, 12]
    assert table["event"].to_pylist() == ["id-0", "id-2", "id-4"]


def test_without_parts_there_is_no_file(batch: Callable[..., Batch], rows: Rows) -> None:
    parts = batch(1, rows(0, 2)).parts
    assert encode_events([]) is None
    assert encode_events([(parts.slice(0, 0), np.empty(0, np.int64))]) is None
    assert encode_events([(parts, np.array([-1, -1]))]) is None
    assert encode_skips([], [], [], []) is None


def test_a_batch_with_other_columns_is_refused(batch: Callable[..., Batch], rows: Rows) -> None:
    parts = batch(1, rows(0, 2)).parts
    with pytest.raises(StoreError, match="other columns"):
        encode_events([(parts.drop_columns(["tags"]), np.array([0, 1]))])


def test_a_record_may_have_several_parts_or_none(batch: Callable[..., Batch], rows: Rows) -> None:
    parts = batch(1, rows(0, 3)).parts.take(pa.array([0, 0, 2]))
    table = read(encode_events([(parts, np.array([5, 6, 7]))]))
    assert table["leaf"].to_pylist() == [5, 5, 7]
