"""Proofs: built from the tiles of a log (RFC 6962 sections 2.1.1 and 2.1.2), written as C2SP tlog-proof text.

    c2sp.org/tlog-proof@v1
    extra <base64>                  (optional, not authenticated)
    index <decimal>
    <base64 of a hash>              (one line each, the leaf's sibling first, the root's child last)
    <empty line>
    <checkpoint note, verbatim>

What is built here proves nothing by itself: ``verify`` and ``merkle`` decide.
"""

from collections.abc import Sequence

import msgspec

from custody.errors import LogError
from custody.ledger import checkpoint, note
from custody.ledger.merkle import HASH_SIZE, leaf_hash, root_of, verify_inclusion
from custody.ledger.tiles import TILE_WIDTH, Read, read_bundle, read_tile, width_at

MAGIC = "c2sp.org/tlog-proof@v1"
"""The first line of every proof."""

MAX_PROOF = 2_000_000
"""Bytes in the longest proof that is read."""

MAX_HASHES = 63
"""Hashes in the longest path: trees are below 2^63."""

NEAR = 1 << 16
"""Roots of subtrees that a prover keeps."""


class TlogProof(msgspec.Struct, frozen=True):
    """A parsed proof: nothing in it is verified. ``checkpoint`` is the note's bytes, ``extra`` is anybody's word."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None


def inclusion_proof(index: int, size: int, read: Read) -> list[bytes]:
    """The path from the leaf at ``index`` to the root of the tree of ``size``, lowest first (RFC 6962 section 2.1.1).

    LogError where the index is not in the tree or a tile is missing.
    """
    return Prover(size, read).inclusion(index)


class Prover:
    """Inclusion proofs in the tree of ``size``: what was computed for one serves those near it."""

    def __init__(self, size: int, read: Read) -> None:
        self._size = size
        self._tiles = _Tiles(size, read)

    def inclusion(self, index: int) -> list[bytes]:
        """As ``inclusion_proof``."""
        if not 0 <= index < self._size:
            raise LogError("no such leaf", found=str(index), expected=f"below the size of the tree, {self._size}")
        path = []
        start, end = 0, self._size
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self._tiles.root(middle, end))
                end = middle
            else:
                path.append(self._tiles.root(start, middle))
                start = middle
        return path[::-1]


def consistency_proof(old_size: int, size: int, read: Read) -> list[bytes]:
    """The path that shows that the tree of ``size`` only adds to that of ``old_size`` (RFC 6962 section 2.1.2).

    Empty where there is nothing to show (equal sizes, or an empty old tree). LogError where the old tree is the larger
    or a tile is missing.
    """
    if not 0 <= old_size <= size:
        raise LogError("a tree cannot shrink", found=f"{old_size} to {size}", expected="an old size up to the new one")
    if old_size in (0, size):
        return []
    tiles = _Tiles(size, read)
    path = []
    start, end = 0, size
    while end > old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            path.append(tiles.root(middle, end))
            end = middle
        else:
            path.append(tiles.root(start, middle))
            start = middle
    if start:
        path.append(tiles.root(start, end))
    return path[::-1]


def root_at(size: int, read: Read) -> bytes:
    """The root of the tree of ``size`` as its tiles on the right edge give it. LogError where one is missing."""
    return _Tiles(size, read).root(0, size)


def read_entry(index: int, size: int, read: Read) -> bytes:
    """The entry at ``index`` of the log of ``size``. LogError where it is not there."""
    if not 0 <= index < size:
        raise LogError("no such leaf", found=str(index), expected=f"below the size of the log, {size}")
    bundle, position = divmod(index, TILE_WIDTH)
    return read_bundle(read, bundle, width_at(0, bundle, size))[position]


def format_proof(index: int, hashes: Sequence[bytes], checkpoint_note: bytes, extra: bytes | None = None) -> bytes:
    """The text of a proof, without a check of what it says."""
    lines = [MAGIC]
    if extra is not None:
        lines.append(f"extra {note.encode64(extra)}")
    lines.append(f"index {index}")
    lines += map(note.encode64, hashes)
    return "".join(f"{line}\n" for line in lines).encode() + b"\n" + checkpoint_note


def parse_proof(data: bytes) -> TlogProof:
    """The proof in ``data``. LogError where it is not exactly one; the note in it is not verified, only parsed."""
    if len(data) > MAX_PROOF:
        raise LogError("a proof is too long", found=f"{len(data)} bytes", expected=f"at most {MAX_PROOF}")
    head, _, signed = data.partition(b"\n\n")
    try:
        magic, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise LogError("a proof is not ASCII before its checkpoint", where=f"byte {error.start}") from None
    if magic != MAGIC:
        raise LogError("not a proof of a log", found=repr(magic[:60]), expected=MAGIC)
    extra = _field("extra ", lines)
    index = _field("index ", lines)
    if index is None or len(lines) > MAX_HASHES:
        raise LogError("not a proof of a log", found=f"{len(lines)} lines", expected="an index, at most 63 hashes")
    hashes = tuple(map(note.decode64, lines))
    if any(len(value) != HASH_SIZE for value in hashes):
        raise LogError("a hash of a proof has the wrong length", expected="32 bytes")
    checkpoint.parse(note.parse_note(signed).text)
    unfolded = None if extra is None else note.decode64(extra)
    return TlogProof(checkpoint.parse_number(index), hashes, signed, unfolded)


def verify(proof: TlogProof, entry: bytes, verifiers: Sequence[note.Verifier]) -> checkpoint.Checkpoint:
    """The checkpoint under which ``entry`` is proved to stand in its log at ``proof.index``.

    LogError where the note is not signed by one of ``verifiers`` whose name is the origin, or the path does not lead
    from the entry to the signed root.
    """
    signed = note.open_note(proof.checkpoint, verifiers)
    point = checkpoint.parse(signed.text)
    if all(signature.name != point.origin for signature in signed.signatures):
        raise LogError("the log itself did not sign", found=signed.signatures[0].name, expected=point.origin)
    if not verify_inclusion(leaf_hash(entry), proof.index, point.size, proof.hashes, point.root):
        raise LogError(
            "the entry is not proved", where=f"leaf {proof.index}", expected=f"root {note.encode64(point.root)}"
        )
    return point


def _field(name: str, lines: list[str]) -> str | None:
    """The value of the first line where it has this name; the line is then taken."""
    if not lines or not lines[0].startswith(name):
        return None
    return lines.pop(0).removeprefix(name)


def _split(count: int) -> int:
    """The largest power of two below ``count``."""
    return 1 << (count - 1).bit_length() - 1


class _Tiles:
    """Roots of ranges of leaves, from tiles that are read once each while they are near."""

    def __init__(self, size: int, read: Read) -> None:
        self._size = size
        self._read = read
        self._cache: dict[tuple[int, int], bytes] = {}
        self._roots: dict[tuple[int, int], bytes] = {}

    def root(self, start: int, end: int) -> bytes:
        """The root over the leaves ``[start, end)``, which are a node of the tree or all but the end of one."""
        parts = []
        while start < end:
            height = min((start & -start).bit_length() - 1 if start else 63, (end - start).bit_length() - 1)
            parts.append(self._perfect(start, height))
            start += 1 << height
        below = parts[-1:]
        for part in parts[-2::-1]:
            below = [root_of([part, *below])]
        return root_of(below)

    def _perfect(self, start: int, height: int) -> bytes:
        """The root over the ``1 << height`` leaves from ``start``, which is a multiple of that."""
        found = self._roots.get((start, height))
        if found is None:
            if len(self._roots) >= NEAR:
                self._roots.clear()
                self._cache.clear()
            found = self._roots[start, height] = self._computed(start, height)
        return found

    def _computed(self, start: int, height: int) -> bytes:
        level, rest = divmod(height, 8)
        index, position = divmod(start >> 8 * level, TILE_WIDTH)
        tile = self._tile(level, index)
        return root_of([tile[at * HASH_SIZE : (at + 1) * HASH_SIZE] for at in range(position, position + (1 << rest))])

    def _tile(self, level: int, index: int) -> bytes:
        if (level, index) not in self._cache:
            width = width_at(level, index, self._size)
            self._cache[level, index] = read_tile(self._read, level, index, width)
        return self._cache[level, index]
