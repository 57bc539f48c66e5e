"""The writer's tree: any way of growing gives the same tree, and the files that a log of its size needs."""

import pymerkle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.errors import LogError
from custody.ledger.merkle import EMPTY_ROOT, leaf_hash, root_of
from custody.ledger.tiles import MAX_ENTRY, bundle_path, decode_bundle, tile_path, tiles_for
from custody.ledger.tree import Tree


def entries(count: int, first: int = 0) -> list[bytes]:
    return [b"entry %d" % number for number in range(first, first + count)]


def hashes(some: list[bytes]) -> bytes:
    return b"".join(map(leaf_hash, some))


def grown(*sizes: int) -> Tree:
    tree = Tree.empty()
    for size in sizes:
        some = entries(size - tree.size, tree.size)
        tree.append(some, hashes(some))
    return tree


def paths(size: int) -> set[str]:
    tiles = tiles_for(size)
    bundles = {bundle_path(index, width) for level, index, width in tiles if level == 0}
    return bundles | {tile_path(*tile) for tile in tiles}


def test_the_empty_tree_has_the_empty_root_and_no_files() -> None:
    tree = Tree.empty()
    assert (tree.size, tree.root(), tree.take_files(), tree.obsolete()) == (0, EMPTY_ROOT, {}, [])


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, 70_000])
def test_the_root_is_that_of_rfc_6962(size: int) -> None:
    assert grown(size).root() == root_of([leaf_hash(entry) for entry in entries(size)])


def test_the_root_agrees_with_pymerkle_at_every_size_up_to_300() -> None:
    tree = Tree.empty()
    oracle = pymerkle.InmemoryTree(algorithm="sha256")
    for entry in entries(300):
        tree.append([entry], leaf_hash(entry))
        oracle.append_entry(entry)
        assert tree.root() == oracle.get_root()


@pytest.mark.parametrize("size", [1, 255, 256, 257, 512, 70_000])
def test_the_files_are_those_of_the_size(size: int) -> None:
    assert set(grown(size).take_files()) == paths(size)


def test_the_files_hold_the_hashes_and_entries() -> None:
    files = grown(600).take_files()
    assert files["tile/0/001"] == hashes(entries(256, 256))
    assert files["tile/0/002.p/88"] == hashes(entries(88, 512))
    assert decode_bundle(files["tile/entries/001"]) == entries(256, 256)
    assert decode_bundle(files["tile/entries/002.p/88"]) == entries(88, 512)
    full = [root_of([leaf_hash(entry) for entry in entries(256, first)]) for first in (0, 256)]
    assert files["tile/1/000.p/2"] == b"".join(full)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 700), max_size=8), st.data())
def test_any_chunks_give_the_same_tree_as_one(chunks: list[int], data: st.DataObject) -> None:
    tree = Tree.empty()
    files: dict[str, bytes] = {}
    for chunk in chunks:
        some = entries(chunk, tree.size)
        tree.append(some, hashes(some))
        if data.draw(st.booleans()):
            files.update(tree.take_files())
            for path in tree.obsolete():
                files.pop(path, None)
            tree = Tree.load(tree.size, files.__getitem__) if data.draw(st.booleans()) else tree
    files.update(tree.take_files())
    whole = grown(sum(chunks))
    assert tree.size == whole.size
    assert tree.root() == whole.root()
    assert {path: files[path] for path in paths(tree.size)} == whole.take_files()


def test_files_are_taken_once() -> None:
    tree = grown(300)
    assert tree.take_files() != {}
    assert tree.take_files() == {}
    tree.append(entries(1, 300), hashes(entries(1, 300)))
    assert set(tree.take_files()) == {"tile/0/001.p/45", "tile/entries/001.p/45"}


def test_a_partial_is_obsolete_once_its_full_tile_was_taken() -> None:
    tree = grown(10)
    tree.take_files()
    tree.append(entries(10, 10), hashes(entries(10, 10)))
    tree.take_files()
    assert tree.obsolete() == []
    tree.append(entries(280, 20), hashes(entries(280, 20)))
    assert tree.obsolete() == []
    assert {"tile/0/000", "tile/entries/000", "tile/0/001.p/44"} <= set(tree.take_files())
    partials = [f"tile/{level}/000.p/{width}" for width in (10, 20) for level in ("0", "entries")]
    assert sorted(tree.obsolete()) == sorted(partials)
    assert tree.obsolete() == []


def test_a_partial_of_a_higher_level_becomes_obsolete_too() -> None:
    tree = grown(65_000)
    tree.take_files()
    tree.append(entries(1000, 65_000), hashes(entries(1000, 65_000)))
    tree.take_files()
    assert "tile/1/000.p/253" in tree.obsolete()


def test_a_loaded_tree_names_every_partial_that_earlier_sizes_may_have_left() -> None:
    files = grown(10, 20).take_files()
    tree = Tree.load(20, files.__getitem__)
    tree.append(entries(280, 20), hashes(entries(280, 20)))
    tree.take_files()
    assert {f"tile/0/000.p/{width}" for width in range(1, 21)} <= set(tree.obsolete())


@pytest.mark.parametrize("size", [0, 1, 255, 256, 300, 65_536, 65_700])
def test_loading_reads_the_right_edge_and_nothing_else(size: int) -> None:
    files = grown(size).take_files()
    read: list[str] = []

    def reader(path: str) -> bytes:
        read.append(path)
        return files[path]

    tree = Tree.load(size, reader)
    assert tree.root() == grown(size).root()
    assert all(".p/" in path for path in read)
    assert tree.take_files() == {}


def test_loading_falls_back_to_full_tiles_of_a_later_size() -> None:
    files = {path: data for path, data in grown(600).take_files().items() if path != "tile/1/000.p/1"}
    tree = Tree.load(200, files.__getitem__)
    assert tree.root() == grown(200).root()


@pytest.mark.parametrize("path", ["tile/0/001.p/44", "tile/entries/001.p/44", "tile/1/000.p/1"])
def test_loading_refuses_a_missing_or_short_edge(path: str) -> None:
    files = grown(300).take_files()
    short = files | {path: files[path][:-1]}
    with pytest.raises(LogError):
        Tree.load(300, short.__getitem__)
    del files[path]
    with pytest.raises(LogError, match="missing"):
        Tree.load(300, files.__getitem__)


def test_loading_refuses_entries_that_are_not_those_of_the_tile() -> None:
    files = grown(300).take_files()
    path = "tile/entries/001.p/44"
    files[path] = files[path].replace(b"entry 299", b"entry 298")
    with pytest.raises(LogError, match="do not hash to their tile"):
        Tree.load(300, files.__getitem__)


@pytest.mark.parametrize(
    ("some", "leaves"),
    [
        ([b"a"], b""),
        ([b"a"], bytes(31)),
        ([b"a"], bytes(64)),
        ([], bytes(32)),
        ([b"a"] * 300 + [bytes(MAX_ENTRY + 1)], bytes(32 * 301)),
    ],
)
def test_a_wrong_append_adds_nothing(some: list[bytes], leaves: bytes) -> None:
    tree = grown(5)
    before = tree.root()
    with pytest.raises(LogError):
        tree.append(some, leaves)
    assert (tree.size, tree.root()) == (5, before)
    assert set(tree.take_files()) == paths(5)
