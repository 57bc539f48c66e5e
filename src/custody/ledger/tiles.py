"""The layout of a log as files (C2SP tlog-tiles): pure functions of numbers and bytes.

Hash tiles are ``tile/<level>/<index>``, entry bundles ``tile/entries/<index>``, the partial ones end in ``.p/<width>``.
The index is written in groups of three digits, all but the last with an ``x`` before it: 1234067 is ``x001/x234/067``.
A full tile holds 256 hashes of 32 bytes; hash i of tile n at level l is the root over the leaves
``[(256 n + i) 256^l, (256 n + i + 1) 256^l)``. A bundle holds its entries, each after its length in two bytes,
big-endian. Empty tiles do not exist, and a partial tile is never hashed upward.
"""

from collections.abc import Callable, Sequence

from custody.errors import LogError, NotFound
from custody.ledger.merkle import HASH_SIZE

TILE_WIDTH = 256
"""Hashes in a full tile, entries in a full bundle."""

TILE_SIZE = TILE_WIDTH * HASH_SIZE
"""Bytes in a full tile."""

MAX_ENTRY = 65_535
"""Bytes in the longest entry that a bundle can hold."""

MAX_LEVEL = 63

Read = Callable[[str], bytes]
"""Reads a file of the log by its path. A file that is not there is one of MISSING."""

MISSING = (NotFound, FileNotFoundError, NotADirectoryError, IsADirectoryError, KeyError)
"""What a ``Read`` may raise for a file that is not there, be it that something else is; the rest is let through."""


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """The path of a hash tile; ``width`` below 256 names a partial one. LogError where a number is out of range."""
    if not 0 <= level <= MAX_LEVEL:
        raise LogError("no such tile level", found=str(level), expected=f"0 to {MAX_LEVEL}")
    return f"tile/{level}/{_numbered(index, width)}"


def bundle_path(index: int, width: int = TILE_WIDTH) -> str:
    """The path of an entry bundle; ``width`` below 256 names a partial one. LogError as for ``tile_path``."""
    return f"tile/entries/{_numbered(index, width)}"


def _numbered(index: int, width: int) -> str:
    if index < 0 or not 1 <= width <= TILE_WIDTH:
        raise LogError("no such tile", found=f"index {index}, width {width}", expected="index from 0, width 1 to 256")
    text = f"{index % 1000:03}"
    while index := index // 1000:
        text = f"x{index % 1000:03}/{text}"
    return text if width == TILE_WIDTH else f"{text}.p/{width}"


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """The bytes of a bundle. LogError where an entry is over MAX_ENTRY."""
    try:
        return b"".join([len(entry).to_bytes(2, "big") + entry for entry in entries])
    except OverflowError:
        longest = max(map(len, entries))
        raise LogError("an entry is too long", found=f"{longest} bytes", expected=f"at most {MAX_ENTRY}") from None


def decode_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle; LogError where it ends inside an entry or holds more than 256."""
    entries: list[bytes] = []
    at, end = 0, len(data)
    while at < end:
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if start > end or at > end:
            raise LogError("a bundle ends inside an entry", where=f"entry {len(entries)}", found=f"{end} bytes")
        entries.append(data[start:at])
    if len(entries) > TILE_WIDTH:
        raise LogError("a bundle holds too many entries", found=str(len(entries)), expected=f"at most {TILE_WIDTH}")
    return entries


def hashes_at(level: int, size: int) -> int:
    """How many hashes a tree of ``size`` leaves has at a tile level."""
    return size >> (8 * level)


def width_at(level: int, index: int, size: int) -> int:
    """How many hashes tile ``index`` at ``level`` holds in a tree of ``size`` leaves: 0 to 256."""
    return min(TILE_WIDTH, max(0, hashes_at(level, size) - index * TILE_WIDTH))


def edge_tiles(size: int) -> list[tuple[int, int, int]]:
    """The partial tiles of a tree of ``size`` leaves, lowest level first, as (level, index, width)."""
    edges = []
    level = 0
    while hashes := hashes_at(level, size):
        index, width = divmod(hashes, TILE_WIDTH)
        if width:
            edges.append((level, index, width))
        level += 1
    return edges


def tiles_for(size: int) -> list[tuple[int, int, int]]:
    """Every hash tile of a tree of ``size`` leaves as (level, index, width), by level and index.

    The bundles are those of level 0.
    """
    tiles = []
    level = 0
    while hashes := hashes_at(level, size):
        full, width = divmod(hashes, TILE_WIDTH)
        tiles += [(level, index, TILE_WIDTH) for index in range(full)]
        if width:
            tiles.append((level, full, width))
        level += 1
    return tiles


def read_tile(read: Read, level: int, index: int, width: int) -> bytes:
    """The ``width`` hashes of a tile: from the partial file, or else from the full one. LogError where neither fits."""
    try:
        path = tile_path(level, index, width)
        data = read(path)
    except MISSING:
        path, data = _full(read, tile_path(level, index), path)
    if len(data) != (width * HASH_SIZE if path.endswith(f".p/{width}") else TILE_SIZE):
        raise LogError("a tile has the wrong length", where=path, found=f"{len(data)} bytes")
    return data[: width * HASH_SIZE]


def read_bundle(read: Read, index: int, width: int) -> list[bytes]:
    """The first ``width`` entries of a bundle: from the partial file, or else from the full one. LogError as above."""
    try:
        path = bundle_path(index, width)
        data = read(path)
    except MISSING:
        path, data = _full(read, bundle_path(index), path)
    entries = decode_bundle(data)
    if len(entries) != (width if path.endswith(f".p/{width}") else TILE_WIDTH):
        raise LogError("a bundle has the wrong number of entries", where=path, found=str(len(entries)))
    return entries[:width]


def _full(read: Read, path: str, partial: str) -> tuple[str, bytes]:
    try:
        return path, read(path)
    except MISSING:
        raise LogError("a file of the log is missing", where=partial, expected=f"it or {path}") from None
