"""The layout of C2SP tlog-tiles: paths, widths, bundles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.errors import LogError, NotFound
from custody.ledger.tiles import (
    MAX_ENTRY,
    bundle_path,
    decode_bundle,
    encode_bundle,
    read_bundle,
    read_tile,
    tile_path,
    tiles_for,
    width_at,
)


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 999, 256, "tile/0/999"),
        (0, 1000, 256, "tile/0/x001/000"),
        (0, 1234, 256, "tile/0/x001/234"),
        (0, 1234067, 256, "tile/0/x001/x234/067"),
        (0, 273, 112, "tile/0/273.p/112"),
        (1, 1, 17, "tile/1/001.p/17"),
        (63, 1000000, 1, "tile/63/x001/x000/000.p/1"),
    ],
)
def test_tiles_have_the_paths_of_the_specification(level: int, index: int, width: int, path: str) -> None:
    assert tile_path(level, index, width) == path


def test_bundles_have_the_paths_of_the_specification() -> None:
    assert bundle_path(1234067) == "tile/entries/x001/x234/067"
    assert bundle_path(273, 112) == "tile/entries/273.p/112"


@pytest.mark.parametrize(("level", "index", "width"), [(64, 0, 1), (-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)])
def test_a_tile_that_cannot_be_has_no_path(level: int, index: int, width: int) -> None:
    with pytest.raises(LogError):
        tile_path(level, index, width)


def test_the_tiles_of_70000_leaves_are_those_of_the_specification() -> None:
    tiles = tiles_for(70_000)
    level0 = [tile for tile in tiles if tile[0] == 0]
    assert level0 == [(0, index, 256) for index in range(273)] + [(0, 273, 112)]
    assert tiles[len(level0) :] == [(1, 0, 256), (1, 1, 17), (2, 0, 1)]


def test_256_leaves_are_one_full_tile_and_a_partial_of_one_above() -> None:
    assert tiles_for(256) == [(0, 0, 256), (1, 0, 1)]


def test_the_empty_tree_has_no_tiles() -> None:
    assert tiles_for(0) == []


@given(st.integers(1, 300_000))
def test_the_tiles_hold_every_hash_of_every_level(size: int) -> None:
    tiles = tiles_for(size)
    assert all(width == width_at(level, index, size) for level, index, width in tiles)
    for level in range(3):
        assert sum(width for at, _, width in tiles if at == level) == size // 256**level


@given(st.lists(st.binary(max_size=70), max_size=256))
def test_a_bundle_gives_back_its_entries(entries: list[bytes]) -> None:
    assert decode_bundle(encode_bundle(entries)) == entries


def test_a_bundle_is_length_and_entry() -> None:
    assert encode_bundle([b"", b"ab", b"x" * 258]) == b"\0\0" + b"\0\2ab" + b"\1\2" + b"x" * 258


def test_the_longest_entry_fits_and_one_byte_more_does_not() -> None:
    longest = bytes(MAX_ENTRY)
    assert decode_bundle(encode_bundle([longest])) == [longest]
    with pytest.raises(LogError, match="65536 bytes"):
        encode_bundle([longest + b"x"])


@pytest.mark.parametrize("data", [b"\0", b"\0\1", b"\0\2a", b"\0\1a\0", b"\0\0" * 257])
def test_what_is_not_whole_entries_is_no_bundle(data: bytes) -> None:
    with pytest.raises(LogError):
        decode_bundle(data)


def test_a_partial_that_was_deleted_is_read_from_the_full_file() -> None:
    hashes = bytes(range(256)) * 32
    entries = [b"%d" % number for number in range(256)]
    files = {"tile/0/000": hashes, "tile/entries/000": encode_bundle(entries)}
    assert read_tile(files.__getitem__, 0, 0, 3) == hashes[:96]
    assert read_bundle(files.__getitem__, 0, 3) == entries[:3]


def test_a_file_that_is_not_there_is_named() -> None:
    def read(path: str) -> bytes:
        raise NotFound("no such file", where=path)

    with pytest.raises(LogError, match=r"tile/0/000\.p/3: a file of the log is missing"):
        read_tile(read, 0, 0, 3)
    with pytest.raises(LogError, match="tile/entries/000: a file of the log is missing"):
        read_bundle(read, 0, 256)


@pytest.mark.parametrize(
    "files",
    [
        {"tile/0/000.p/3": bytes(95), "tile/entries/000.p/3": b"\0\0" * 2},
        {"tile/0/000.p/3": bytes(97), "tile/entries/000.p/3": b"\0\0" * 4},
        {"tile/0/000.p/3": bytes(8192), "tile/entries/000.p/3": b"\0\0" * 256},
        {"tile/0/000": bytes(8191), "tile/entries/000": b"\0\0" * 255},
    ],
)
def test_a_file_of_the_wrong_length_is_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(LogError, match="wrong length"):
        read_tile(files.__getitem__, 0, 0, 3)
    with pytest.raises(LogError, match="wrong number of entries"):
        read_bundle(files.__getitem__, 0, 3)
