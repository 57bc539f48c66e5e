"""The dedupe index against a plain dictionary, on disk and off, and in every way in which its files can be wrong."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.store.disk import RealDisk
from custody.store.index import RUNS, Index, identity_hash, rows_of

DISK = RealDisk()
TOP = bytes(range(32))


def add(index: Index, hashes: list[int], first: int) -> int:
    size = first + len(hashes)
    leaves = np.arange(first, size, dtype=np.int64)
    index.add(DISK, np.array(hashes, np.uint64), leaves, size=size, top=TOP)
    return size


def look(index: Index, hashes: list[int]) -> set[tuple[int, int]]:
    ordered = np.array(sorted(set(hashes)), np.uint64)
    positions, leaves = index.lookup(ordered)
    return {(int(ordered[at]), leaf) for at, leaf in zip(positions.tolist(), leaves.tolist(), strict=True)}


HASH = st.integers(0, 12) | st.integers(0, 2**64 - 1)


@settings(max_examples=60)
@given(st.lists(st.lists(HASH, max_size=30), max_size=12), st.lists(HASH, max_size=20))
def test_it_finds_what_a_dictionary_finds(
    tmp_path_factory: pytest.TempPathFactory, lots: list[list[int]], asked: list[int]
) -> None:
    root = tmp_path_factory.mktemp("index")
    index = Index(root)
    known: dict[int, set[int]] = {}
    size = 0
    for lot in lots:
        for leaf, value in enumerate(lot, size):
            known.setdefault(value, set()).add(leaf)
        size = add(index, lot, size)
    wanted = {(value, leaf) for value in {*asked, *known} for leaf in known.get(value, ())}
    assert look(index, [*asked, *known]) == wanted
    if lots:
        again, top = Index.open(root, size)
        assert (again.size, top) == (size, TOP)
        assert look(again, [*asked, *known]) == wanted


def test_runs_stay_few_and_old_files_go(tmp_path: Path) -> None:
    index = Index(tmp_path)
    size = 0
    for number in range(100):
        size = add(index, [number * 7, number * 11], size)
        assert len(index.names()) <= 8
    assert {path.name for path in (tmp_path / "index").iterdir()} == index.names() | {"runs.json"}


def test_a_reader_adds_in_memory_alone(tmp_path: Path) -> None:
    index = Index(tmp_path)
    add(index, [1, 2, 3], 0)
    before = {path: path.read_bytes() for path in (tmp_path / "index").iterdir()}
    index.remember(np.array([2], np.uint64), np.array([9], np.int64), size=10)
    assert look(index, [2]) == {(2, 1), (2, 9)}
    assert {path: path.read_bytes() for path in (tmp_path / "index").iterdir()} == before


def test_an_index_ahead_of_the_log_is_not_used(tmp_path: Path) -> None:
    index = Index(tmp_path)
    add(index, [1, 2, 3], 0)
    again, _ = Index.open(tmp_path, 2)
    assert again.size == 0
    assert look(again, [1]) == set()


def test_any_flipped_bit_makes_it_unused(tmp_path: Path) -> None:
    index = Index(tmp_path)
    add(index, [5, 6, 7], 0)
    for path in sorted((tmp_path / "index").iterdir()):
        whole = path.read_bytes()
        for at in range(len(whole)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
            again, _ = Index.open(tmp_path, 3)
            assert again.size == 0, (path.name, at)
        path.write_bytes(whole)
    assert Index.open(tmp_path, 3)[0].size == 3


def test_a_run_file_is_never_looked_for_elsewhere(tmp_path: Path) -> None:
    index = Index(tmp_path)
    add(index, [5, 6, 7], 0)
    (name,) = index.names()
    (tmp_path / "index" / name).rename(tmp_path / name)
    path = tmp_path / RUNS
    data = path.read_bytes().partition(b"\n")[2].replace(name.encode(), f"../{name}".encode())
    path.write_bytes(_digest(data) + b"\n" + data)
    assert Index.open(tmp_path, 3)[0].size == 0


def _digest(data: bytes) -> bytes:
    from hashlib import sha256

    assert msgspec.json.decode(data)
    return sha256(data).hexdigest().encode()


def test_rows_come_from_record_entries_alone() -> None:
    from custody.ledger.entry import record_entry, statement_entry

    record = record_entry("s", "scheme", "i", "0" * 64, 0, 0, 1)
    hashes, leaves = rows_of([(4, statement_entry("note", {})), (5, record)])
    assert (hashes.tolist(), leaves.tolist()) == ([identity_hash("s", "i")], [5])
    assert rows_of([])[0].dtype == np.uint64
