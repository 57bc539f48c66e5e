"""Cutting batches into commits: in order, complete, and never more than fits."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custody.errors import StoreError
from custody.ledger.entry import SegmentEntry, StatementEntry, decode, segment_entry
from custody.ledger.merkle import leaf_hash
from custody.model.records import Batch
from custody.store import chunks, layout
from custody.store.chunks import check_batch, check_order, compose, compose_other, cut
from custody.store.dedupe import Decided, Piece
from custody.store.history import Known

Make = Callable[..., Batch]
Rows = Callable[[int, int], list[tuple[str, bytes | None]]]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "MAX_RECORDS", 7)
    monkeypatch.setattr(chunks, "MAX_FILES", 3)
    monkeypatch.setattr(chunks, "MAX_BYTES", 400)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 20)), max_size=10))
def test_nothing_is_lost_or_reordered(small: None, batch: Make, rows: Rows, sizes: list[tuple[int, int]]) -> None:
    batches = [batch(leaf, rows(number * 100, size)) for number, (leaf, size) in enumerate(sizes)]
    lots = list(cut(batches))
    assert [one for lot in lots for piece in lot for one in piece.batch.ids[piece.start : piece.stop]] == [
        one for whole in batches for one in whole.ids
    ]
    assert {id(piece.batch) for lot in lots for piece in lot} == {id(whole) for whole in batches}
    for lot in lots:
        assert lot
        assert sum(map(len, lot)) <= 7
        assert len({piece.batch.acquisition for piece in lot}) <= 3


def test_a_commit_is_records_then_what_closes_it(batch: Make, rows: Rows) -> None:
    whole = batch(1, rows(0, 4), skips=[None, "unknown", None, None])
    change, hashes = compose([Piece(whole, 0, 4)], Decided(None, 0), 100)
    assert change.entries[:4] == whole.entries
    statement, segment = decode(change.entries[4]), decode(change.entries[5])
    assert isinstance(statement, StatementEntry)
    assert isinstance(segment, SegmentEntry)
    assert (segment.first, segment.end, segment.file) == (100, 104, layout.segment_path(100, 104))
    assert segment.files == ((1, 4, 0, 1),)
    assert set(change.files) == {
        layout.segment_path(100, 104),
        layout.events_path(100, 104),
        layout.skips_path(100, 104),
    }
    assert change.leaves == b"".join(map(leaf_hash, change.entries))
    assert change.others == [(104, change.entries[4]), (105, change.entries[5])]
    assert hashes.tolist() == whole.identity_hashes


def test_duplicates_leave_no_trace_but_their_count(batch: Make, rows: Rows) -> None:
    import numpy as np

    one, two = batch(1, rows(0, 3), last=False), batch(2, rows(3, 3))
    sealed = np.array([True, False, True, False, False, False])
    change, hashes = compose([Piece(one, 0, 3), Piece(two, 0, 3)], Decided(sealed, 0), 10)
    assert change.entries[:2] == [one.entries[0], one.entries[2]]
    assert change.leaves == b"".join(map(leaf_hash, change.entries))
    segment = decode(change.entries[-1])
    assert isinstance(segment, SegmentEntry)
    assert segment.files == ((1, 3, 1, 0), (2, 3, 3, 1))
    assert hashes.tolist() == [one.identity_hashes[0], one.identity_hashes[2]]


def test_a_commit_without_records_has_no_files(batch: Make) -> None:
    change, _ = compose([Piece(batch(1, []), 0, 0)], Decided(None, 0), 10)
    assert change.files == {}
    segment = decode(change.entries[0])
    assert isinstance(segment, SegmentEntry)
    assert (segment.file, segment.first, segment.end, segment.files) == (None, 10, 10, ((1, 0, 0, 1),))
    assert compose_other([], 10).entries == [segment_entry(None, None, 10, 10, [])]


def test_columns_of_other_lengths_are_refused(batch: Make, rows: Rows) -> None:
    whole = batch(1, rows(0, 3))
    check_batch(whole)
    for name in ("kept", "salts", "ids", "skips", "forms", "sources", "identity_hashes", "leaves"):
        wrong = msgspec.structs.replace(whole, **{name: getattr(whole, name)[:-1]})
        with pytest.raises(StoreError, match="differ in length"):
            check_batch(wrong)


def test_the_order_of_a_file_is_kept_across_batches(batch: Make, rows: Rows) -> None:
    files = {1: Known(leaf=1, path="p", member=None, received="", content="", problem=None, records=5)}
    good = [batch(1, rows(0, 3), ordinal=5, last=False), batch(1, rows(3, 3), ordinal=8)]
    check_order(good, files)
    for wrong in (good[::-1], good[1:], [good[0], good[0]], [*good, batch(1, [], ordinal=11)]):
        with pytest.raises(StoreError, match="not the next"):
            check_order(wrong, files)
