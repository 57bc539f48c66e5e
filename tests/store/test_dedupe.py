from collections.abc import Callable
from pathlib import Path

import pytest

from custody.errors import NotFound, StoreError
from custody.model.records import Acquisition, Batch
from custody.store.index import identity_hash
from custody.store.reader import Reader
from custody.store.writer import Committed, Writer

Make = Callable[..., Batch]
Acquire = Callable[..., Acquisition]


@pytest.fixture
def add(opened: Callable[[], Writer], acquisition: Acquire, batch: Make) -> Callable[..., Committed]:
    """Commit rows as one file of their own, in a writer of its own."""

    def add_file(name: str, rows: list[tuple[str, bytes | None]], **options: object) -> Committed:
        with opened() as writer:
            (leaf,) = writer.acquire([acquisition(name)], by="test", at="now")
            return writer.commit([batch(leaf, rows, **options)])

    return add_file


def counts(done: Committed) -> tuple[int, int, int]:
    return done.sealed, done.duplicates, done.conflicts


def test_the_same_bytes_again_are_a_duplicate(add: Callable[..., Committed]) -> None:
    rows = [("a", b'{"x":1}'), ("b", b'{"x":2}')]
    assert counts(add("one", rows)) == (2, 0, 0)
    assert counts(add("two", rows)) == (0, 2, 0)


def test_another_wrapping_is_a_duplicate(add: Callable[..., Committed]) -> None:
    assert counts(add("one", [("a", b'{"x":1.0,"y":"A"}')])) == (1, 0, 0)
    assert counts(add("two", [("a", b'"{\\"y\\":\\"\\\\u0041\\",\\"x\\":1}"')], form="lookup-events")) == (0, 1, 0)


def test_another_value_is_a_conflict_and_sealed(add: Callable[..., Committed], root: Path) -> None:
    add("one", [("a", b'{"x":1}')])
    assert counts(add("two", [("a", b'{"x":2}')])) == (1, 0, 1)
    assert counts(add("three", [("a", b'{"x": 1}'), ("a", b'{"x": 2}'), ("a", b'{"x":3}')])) == (1, 2, 1)
    with Reader.open(root) as reader:
        leaves = reader.find("aws.cloudtrail", "a")
        assert [reader.kept(leaf).kept for leaf in leaves] == [b'{"x":1}', b'{"x":2}', b'{"x":3}']


def test_within_one_commit_too(add: Callable[..., Committed]) -> None:
    rows = [("a", b'{"x":1}'), ("b", b"1"), ("a", b'{ "x":1}'), ("a", b'{"x":2}'), ("a", b'{"x":1}'), ("a", b'{"x":2}')]
    assert counts(add("one", rows)) == (3, 3, 1)


def test_across_batches_of_one_commit(opened: Callable[[], Writer], acquisition: Acquire, batch: Make) -> None:
    with opened() as writer:
        one, two = writer.acquire([acquisition("one"), acquisition("two")], by="test", at="now")
        done = writer.commit([batch(one, [("a", b"1")]), batch(two, [("a", b"1"), ("b", b"2")])])
        assert counts(done) == (2, 1, 0)
        assert [known.duplicates for name in ("one", "two") for known in writer.known(acquisition(name).received)] == [
            0,
            1,
        ]


def test_withheld_payloads_are_told_apart_by_identity(add: Callable[..., Committed], root: Path) -> None:
    assert counts(add("one", [("h1", None), ("h2", None), ("h1", None)])) == (2, 1, 0)
    assert counts(add("two", [("h1", None), ("h3", None), ("h2", b"shown now")])) == (1, 2, 0)
    with Reader.open(root) as reader:
        (leaf,) = reader.find("aws.cloudtrail", "h1")
        assert (reader.kept(leaf).kept, reader.kept(leaf).salt) == (None, None)


def test_a_shared_hash_is_not_a_shared_identity(add: Callable[..., Committed]) -> None:
    assert counts(add("one", [("a", b"1"), ("b", b"1")], hashes=[7, 7])) == (2, 0, 0)
    assert counts(add("two", [("c", b"1"), ("a", b"1"), ("b", b"2")], hashes=[7, 7, 7])) == (2, 1, 1)


def test_many_values_of_one_identity_cost_linear_work(add: Callable[..., Committed]) -> None:
    rows: list[tuple[str, bytes | None]] = [("a", b'{"n":%d}' % n) for n in range(3000)]
    assert counts(add("one", rows)) == (3000, 0, 2999)
    assert counts(add("two", [("a", b'{"n": %d}' % n) for n in range(3000)])) == (0, 3000, 0)


def test_a_commit_of_duplicates_alone_still_counts_them(add: Callable[..., Committed], root: Path) -> None:
    rows = [("a", b'{"x":1}'), ("b", b'{"x":2}')]
    add("one", rows)
    add("two", rows)
    with Reader.open(root) as reader:
        assert [(known.records, known.duplicates, known.done) for known in reader.acquisitions()] == [
            (2, 0, True),
            (2, 2, True),
        ]
        assert (reader.counts().records, reader.counts().duplicates, reader.counts().leaves) == (4, 2, 2)
        assert len(reader.segments()) == 1
        with pytest.raises(NotFound):
            reader.kept(0)


@pytest.mark.parametrize("damage", ["missing", "flipped", "torn", "of another log"])
def test_a_wrong_index_is_rebuilt(add: Callable[..., Committed], root: Path, damage: str) -> None:
    rows: list[tuple[str, bytes | None]] = [(f"id-{n}", b"%d" % n) for n in range(500)]
    add("one", rows[:300])
    before = {path: path.read_bytes() for path in (root / "index").iterdir()}
    add("two", rows[300:])
    for path in sorted((root / "index").iterdir()):
        data = path.read_bytes()
        match damage:
            case "missing":
                path.unlink()
            case "flipped":
                path.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
            case "torn":
                path.write_bytes(data[: len(data) // 2])
            case _:
                path.unlink()
    if damage == "of another log":
        for path, data in before.items():
            path.write_bytes(data)
    with Reader.open(root) as reader:
        assert len(reader.find("aws.cloudtrail", "id-299")) == 1
        assert reader.counts().records == 500
    assert counts(add("three", rows)) == (0, 500, 0)


def test_an_identity_that_is_not_there_gives_nothing(add: Callable[..., Committed], root: Path) -> None:
    add("one", [("a", b"1")])
    with Reader.open(root) as reader:
        assert reader.find("aws.cloudtrail", "zzz") == []
        assert reader.find("other", "a") == []


def test_a_batch_out_of_order_is_refused(opened: Callable[[], Writer], acquisition: Acquire, batch: Make) -> None:
    with opened() as writer:
        (leaf,) = writer.acquire([acquisition("one")], by="test", at="now")
        size = writer.size
        for wrong in (batch(leaf, [("a", b"1")], ordinal=1), batch(leaf + 1, [("a", b"1")])):
            with pytest.raises(StoreError, match="batch"):
                writer.commit([wrong])
        writer.commit([batch(leaf, [("a", b"1")])])
        with pytest.raises(StoreError, match="not the next"):
            writer.commit([batch(leaf, [("b", b"1")], ordinal=1)])
        assert writer.size == size + 3


def test_the_identity_hash_is_the_start_of_a_sha256() -> None:
    assert identity_hash("s", "i") == 0x8FBEF1375683A30B
    assert identity_hash("a", "b") != identity_hash("a\0b", "")
