"""The writer's tree (C2SP tlog-tiles): grows by entries, gives the root and the files that must be written.

It holds only the right edge, the partial tile of every level and the partial bundle, and the files of tiles that have
filled since they were last taken. Nothing here touches a disk.
"""

from collections.abc import Sequence
from hashlib import sha256

from custody.errors import LogError
from custody.ledger.merkle import HASH_SIZE, MAX_TREE, leaf_hash, root_of
from custody.ledger.tiles import (
    TILE_SIZE,
    TILE_WIDTH,
    Read,
    bundle_path,
    edge_tiles,
    encode_bundle,
    read_bundle,
    read_tile,
    tile_path,
)


class Tree:
    """A growing tree. Made by ``empty`` or ``load``; one writer at a time.

    The order of a commit: ``append``, ``take_files`` and write them all, sign ``root``, publish the checkpoint, delete
    what ``obsolete`` names.
    """

    __slots__ = ("_bundle", "_edges", "_files", "_filled", "_superseded", "_widths", "size")

    def __init__(self) -> None:
        self.size = 0
        self._edges: list[bytearray] = []
        self._bundle = bytearray()
        self._files: dict[str, bytes] = {}
        self._widths: dict[int, set[int]] = {}
        self._filled: list[str] = []
        self._superseded: list[str] = []

    @classmethod
    def empty(cls) -> "Tree":
        """The tree without entries."""
        return cls()

    @classmethod
    def load(cls, size: int, read: Read) -> "Tree":
        """The tree of ``size`` leaves from its files, of which only the right edge is read.

        LogError where a file is missing, has the wrong length, or the edge bundle does not hash to the edge tile. The
        caller compares ``root()`` with what was signed.
        """
        tree = cls()
        tree.size = size
        for level, index, width in edge_tiles(size):
            while len(tree._edges) < level:
                tree._edges.append(bytearray())
            tree._edges.append(bytearray(read_tile(read, level, index, width)))
            tree._widths[level] = set(range(1, width + 1))
        index, width = divmod(size, TILE_WIDTH)
        if width:
            entries = read_bundle(read, index, width)
            if b"".join(map(leaf_hash, entries)) != tree._edges[0]:
                raise LogError("the last entries do not hash to their tile", where=bundle_path(index, width))
            tree._bundle += encode_bundle(entries)
        return tree

    def append(self, entries: Sequence[bytes], leaves: bytes) -> None:
        """Add entries. ``leaves`` are their leaf hashes, 32 bytes each, joined: computed by the workers, not checked.

        LogError, and nothing added, where the two do not match in number or an entry is too long.
        """
        count = len(entries)
        if len(leaves) != count * HASH_SIZE or self.size + count > MAX_TREE:
            raise LogError("entries without their leaf hashes", found=f"{len(leaves)} bytes for {count} entries")
        first = self.size % TILE_WIDTH
        chunks = []
        start = 0
        while start < count:
            end = min(count, start + TILE_WIDTH - (first + start) % TILE_WIDTH)
            chunks.append((encode_bundle(entries[start:end]), leaves[start * HASH_SIZE : end * HASH_SIZE]))
            start = end
        for bundle, hashes in chunks:
            self._add(bundle, hashes)

    def root(self) -> bytes:
        """The RFC 6962 root of the current size, from the right edge alone."""
        below: list[bytes] = []
        for edge in self._edges:
            hashes = [bytes(edge[at : at + HASH_SIZE]) for at in range(0, len(edge), HASH_SIZE)]
            if hashes or below:
                below = [root_of(hashes + below)]
        return root_of(below)

    def take_files(self) -> dict[str, bytes]:
        """Path to bytes of every file that must be written for the current size and was not taken before.

        The tiles and bundles that have filled come first, then the partial ones of this size. A partial that is the
        same as when it was last taken or loaded is not given again.
        """
        files, self._files = self._files, {}
        for level, index, width in edge_tiles(self.size):
            widths = self._widths.setdefault(level, set())
            if width in widths:
                continue
            widths.add(width)
            files[tile_path(level, index, width)] = bytes(self._edges[level])
            if level == 0:
                files[bundle_path(index, width)] = bytes(self._bundle)
        self._superseded += self._filled
        self._filled = []
        return files

    def obsolete(self) -> list[str]:
        """Paths of partial files of earlier sizes whose full file was in a take; each is given once.

        To be deleted after the taken size is published. After ``load`` the earlier sizes are not known, so every
        smaller width of an edge tile is named when it fills: a path need not exist.
        """
        paths, self._superseded = self._superseded, []
        return paths

    def _add(self, bundle: bytes, hashes: bytes) -> None:
        """Add entries that fit in the edge bundle."""
        self._bundle += bundle
        self.size += len(hashes) // HASH_SIZE
        filled = self._bundle
        if self._push(0, hashes):
            self._bundle = bytearray()
            self._files[bundle_path(self.size // TILE_WIDTH - 1)] = bytes(filled)

    def _push(self, level: int, hashes: bytes) -> bool:
        """Add hashes that fit in the edge tile of ``level``; whether they filled it."""
        if level == len(self._edges):
            self._edges.append(bytearray())
        edge = self._edges[level]
        edge += hashes
        if len(edge) < TILE_SIZE:
            return False
        tile = bytes(edge)
        self._edges[level] = bytearray()
        index = (self.size >> 8 * (level + 1)) - 1
        self._files[tile_path(level, index)] = tile
        for width in sorted(self._widths.pop(level, ())):
            self._filled.append(tile_path(level, index, width))
            if level == 0:
                self._filled.append(bundle_path(index, width))
        self._push(level + 1, _fold(tile))
        return True


def _fold(tile: bytes) -> bytes:
    """The hash of a full tile: ``merkle.root_of`` without an object for each leaf that goes in."""
    hash_of = sha256
    while len(tile) > HASH_SIZE:
        pairs = range(0, len(tile), 2 * HASH_SIZE)
        tile = b"".join([hash_of(b"\x01" + tile[at : at + 2 * HASH_SIZE]).digest() for at in pairs])
    return tile
