"""The journal is a cache: torn or changed anywhere, the history is still what the log says."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from custody.errors import StoreError
from custody.ledger.entry import acquisition_entry, record_entry, segment_entry, statement_entry
from custody.model.records import Acquisition, Batch
from custody.store.caches import load_history
from custody.store.history import JOURNAL, Frame, History, encode_frame, others, read_frames
from custody.store.logfiles import LogFiles
from custody.store.reader import Reader
from custody.store.writer import Writer

Rows = Callable[[int, int], list[tuple[str, bytes | None]]]
Acquire = Callable[..., Acquisition]
Make = Callable[..., Batch]
ROOT = sha256(b"").digest()


@pytest.fixture
def grown(opened: Callable[[], Writer], acquisition: Acquire, batch: Make, rows: Rows, root: Path) -> int:
    """A store with some history; its size."""
    with opened() as writer:
        one, two = writer.acquire([acquisition("one"), acquisition("two")], by="me", at="now")
        writer.commit([batch(one, rows(0, 30), last=False)])
        writer.commit([batch(one, rows(30, 30), ordinal=30), batch(two, rows(0, 10))])
        writer.seal("note", {"text": "x"})
        return writer.size


def fold(root: Path, size: int) -> tuple[History, Frame | None]:
    return load_history(root, LogFiles(root), size)


def test_the_fold_counts_what_was_read(acquisition: Acquire) -> None:
    history = History()
    history.add(0, statement_entry("store", {"sha256": "x"}))
    history.add(1, acquisition_entry(acquisition("one"), by="me", version="1", at="now"))
    history.add(5, segment_entry("segments/f", "0" * 64, 2, 5, [(1, 10, 7, 0)]))
    history.add(6, segment_entry(None, None, 6, 6, [(1, 2, 2, 1)]))
    known = history.files[1]
    assert (known.records, known.duplicates, known.done) == (12, 9, True)
    assert history.received == {known.received: [1]}
    assert [closed.leaf for closed in history.closed] == [5, 6]
    assert history.consumed == {1: [5, 6]}
    assert history.last("store") is history.said[0]
    assert history.last("nothing") is None


def test_the_fold_refuses_what_contradicts_it() -> None:
    with pytest.raises(StoreError, match="not acquired"):
        History().add(0, segment_entry(None, None, 0, 0, [(7, 1, 0, 0)]))
    with pytest.raises(StoreError, match="not history"):
        History().add(0, record_entry("s", "x", "i", "0" * 64, 0, 0, 1))


def test_the_journal_holds_everything_but_records(grown: int, root: Path) -> None:
    frames = list(read_frames(root, grown))
    assert [frames[0].first, frames[-1].end] == [0, grown]
    assert [row for frame in frames for row in frame.rows] == others(LogFiles(root).entries(0, grown, grown))


def test_with_the_journal_nothing_is_missing(grown: int, root: Path) -> None:
    history, missing = fold(root, grown)
    assert missing is None
    assert history.size == grown


def test_an_earlier_size_has_the_earlier_history(grown: int, root: Path) -> None:
    history, _ = fold(root, grown - 2)
    assert history.last("note") is None
    assert history.size == grown - 2


def test_wherever_the_journal_is_cut_the_history_is_the_same(grown: int, root: Path) -> None:
    whole, _ = fold(root, grown)
    data = (root / JOURNAL).read_bytes()
    for length in range(0, len(data), 7):
        (root / JOURNAL).write_bytes(data[:length])
        assert fold(root, grown)[0] == whole, length


def test_wherever_the_journal_is_changed_the_history_is_the_same(grown: int, root: Path) -> None:
    whole, _ = fold(root, grown)
    data = (root / JOURNAL).read_bytes()
    for at in range(0, len(data), 11):
        (root / JOURNAL).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert fold(root, grown)[0] == whole, at


def test_a_well_made_journal_of_another_log_is_not_used(grown: int, root: Path) -> None:
    forged = Frame(0, grown, ROOT, [(0, statement_entry("store", {"sha256": "forged"}))])
    (root / JOURNAL).write_bytes(encode_frame(forged))
    history, missing = fold(root, grown)
    assert missing is not None
    assert missing.first == 0
    assert history.said[0].entry.fields["sha256"] != "forged"


def test_a_journal_that_lies_about_a_file_is_found_out(
    grown: int, root: Path, opened: Callable[[], Writer], acquisition: Acquire
) -> None:
    """Checksums keep out accidents. Someone who makes a file look done is met by the log itself."""
    frames = list(read_frames(root, grown))
    rows = [(leaf, raw.replace(b",30,0,0]]", b",30,0,1]]")) for frame in frames for leaf, raw in frame.rows]
    assert rows != [row for frame in frames for row in frame.rows]
    (root / JOURNAL).write_bytes(encode_frame(Frame(0, grown, frames[-1].root, rows)))
    with opened() as writer:
        lied = writer.known(acquisition("one").received)
        assert lied[0].done, "this one is done in truth as well"
    rows = [(leaf, raw.replace(b"[[2,30,0,0]]", b"[[2,29,0,0]]")) for leaf, raw in rows]
    rows = [(leaf, raw.replace(b"[[2,30,0,1]]", b"[[2,29,0,1]]")) for leaf, raw in rows]
    (root / JOURNAL).write_bytes(encode_frame(Frame(0, grown, frames[-1].root, rows)))
    with opened() as writer, pytest.raises(StoreError, match="cache contradicts"):
        writer.known(acquisition("one").received)


def test_the_next_writer_mends_the_journal(grown: int, root: Path, opened: Callable[[], Writer]) -> None:
    whole = (root / JOURNAL).read_bytes()
    for data in (b"", whole[:-5], whole + b"torn", b"x" * 10):
        (root / JOURNAL).write_bytes(data)
        with opened() as writer:
            assert writer.size == grown
        assert list(read_frames(root, grown))[-1].end == grown
        with Reader.open(root) as reader:
            assert reader.counts().records == 70
