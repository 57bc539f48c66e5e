"""The dedupe index: which leaves have an identity, as sorted runs of (identity hash, leaf). A cache.

The identity hash is the first 8 bytes, big-endian, of SHA-256(source ‖ NUL ‖ identity); two identities may share one,
so a hit is only a candidate and is confirmed on the stored entry. A run file holds its hashes, sorted, as
little-endian uint64, then their leaves as int64. ``runs.json`` names the runs with their checksums, the size of the
log that they cover and its root there. Runs merge when they are of like size, so there are never many.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from custody.errors import StoreError
from custody.ledger.entry import RecordEntry, decode
from custody.store.disk import Disk
from custody.store.history import RECORD_PREFIX
from custody.store.layout import INDEX, TEMPORARY

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Leaves = NDArray[np.int64]

RUNS = f"{INDEX}/runs.json"


class RunInfo(msgspec.Struct, frozen=True):
    """A run file, the number of its rows and the CRC-32 of its bytes."""

    file: str
    rows: int
    crc: int


class Cover(msgspec.Struct, frozen=True):
    """What the index covers: the leaves below ``size``, where the log's root is ``root`` (hex)."""

    size: int
    root: str
    runs: tuple[RunInfo, ...]


class Run:
    """One sorted run in memory, or mapped from its file: a block of its hashes, then its leaves."""

    def __init__(self, info: RunInfo, block: Hashes) -> None:
        import numpy as np

        self.info, self.block = info, block
        self.hashes, self.leaves = block[: info.rows], block[info.rows :].view(np.int64)


class Index:
    """The runs, oldest first. ``add`` extends them on disk; a reader only looks up."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._runs: list[Run] = []
        self.size = 0

    @classmethod
    def open(cls, root: Path, size: int) -> tuple[Index, bytes]:
        """The index as cached, and the root of the log that it claims at its ``size``.

        Empty where the cache is missing, damaged or ahead of ``size``.
        """
        index = cls(root)
        cover = _read_cover(root)
        if cover is None or cover.size > size:
            return index, b""
        for info in cover.runs:
            run = _open_run(root, info)
            if run is None:
                return cls(root), b""
            index._runs.append(run)
        index.size = cover.size
        return index, bytes.fromhex(cover.root)

    def lookup(self, hashes: Hashes) -> tuple[NDArray[np.int64], Leaves]:
        """Every (position in ``hashes``, leaf) with an equal hash. ``hashes`` are sorted, which makes it fast."""
        import numpy as np

        positions, leaves = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for run in self._runs:
            left = np.searchsorted(run.hashes, hashes)
            hit = np.flatnonzero(run.hashes[np.minimum(left, run.info.rows - 1)] == hashes)
            if not hit.size:
                continue
            first = left[hit]
            count = np.searchsorted(run.hashes, hashes[hit], side="right") - first
            starts = np.cumsum(count) - count
            positions.append(np.repeat(hit, count))
            leaves.append(run.leaves[np.arange(count.sum()) + np.repeat(first - starts, count)])
        return np.concatenate(positions), np.concatenate(leaves)

    def add(self, disk: Disk, hashes: Hashes, leaves: Leaves, *, size: int, top: bytes) -> None:
        """Add rows and cover the log up to ``size`` with root ``top``. Nothing is synced: it is a cache."""
        old = self.names()
        if len(hashes):
            self._runs.append(_sorted_run(size, hashes, leaves))
        while len(self._runs) > 1 and self._runs[-2].info.rows < 2 * self._runs[-1].info.rows:
            newer, older = self._runs.pop(), self._runs.pop()
            self._runs.append(_merged(size, older, newer))
        for run in self._runs:
            if run.info.file not in old:
                disk.write(self._root / INDEX / run.info.file, run.block.data)
        self.size = size
        cover = Cover(size, top.hex(), tuple(run.info for run in self._runs))
        _write_cover(disk, self._root, cover)
        for name in sorted(old - self.names()):
            disk.delete(self._root / INDEX / name)

    def repeated(self) -> Hashes:
        """The hashes that stand for more than one leaf, sorted: identities sealed twice, or two that share a hash."""
        import numpy as np

        found = [np.empty(0, np.uint64)]
        for position, run in enumerate(self._runs):
            found.append(run.hashes[1:][run.hashes[1:] == run.hashes[:-1]])
            for older in self._runs[:position]:
                left = np.minimum(np.searchsorted(older.hashes, run.hashes), older.info.rows - 1)
                found.append(run.hashes[older.hashes[left] == run.hashes])
        return np.unique(np.concatenate(found))

    def names(self) -> set[str]:
        """The names of the run files in use."""
        return {run.info.file for run in self._runs}

    def remember(self, hashes: Hashes, leaves: Leaves, *, size: int) -> None:
        """Add rows in memory alone, as a reader does."""
        if len(hashes):
            self._runs.append(_sorted_run(size, hashes, leaves))
        self.size = size


def identity_hash(source: str, identity: str) -> int:
    """The hash of an identity, as a Batch carries it."""
    return int.from_bytes(sha256(f"{source}\0{identity}".encode()).digest()[:8], "big")


def rows_of(entries: Iterable[tuple[int, bytes]]) -> tuple[Hashes, Leaves]:
    """The index rows of log entries, as (hashes, leaves) in order of leaf."""
    import numpy as np

    hashes, leaves = [], []
    for leaf, raw in entries:
        if raw.startswith(RECORD_PREFIX):
            entry = decode(raw)
            if not isinstance(entry, RecordEntry):
                raise StoreError("not a record", where=f"leaf {leaf}")
            hashes.append(identity_hash(entry.source, entry.id))
            leaves.append(leaf)
    return np.array(hashes, np.uint64), np.array(leaves, np.int64)


def _sorted_run(size: int, hashes: Hashes, leaves: Leaves) -> Run:
    import numpy as np

    order = np.argsort(hashes, kind="stable")
    block = np.empty(2 * len(hashes), np.uint64)
    np.take(hashes, order, out=block[: len(hashes)])
    np.take(leaves, order, out=block[len(hashes) :].view(np.int64))
    return _run(size, block)


def _merged(size: int, older: Run, newer: Run) -> Run:
    """Both runs as one, in linear time: the newer's places in the older are known, the rest stays in order."""
    import numpy as np

    places = np.searchsorted(older.hashes, newer.hashes, side="right") + np.arange(newer.info.rows)
    rows = older.info.rows + newer.info.rows
    rest = np.ones(rows, dtype=bool)
    rest[places] = False
    block = np.empty(2 * rows, np.uint64)
    hashes, leaves = block[:rows], block[rows:].view(np.int64)
    hashes[places], leaves[places] = newer.hashes, newer.leaves
    hashes[rest], leaves[rest] = older.hashes, older.leaves
    return _run(size, block)


def _run(size: int, block: Hashes) -> Run:
    """A run of a block that holds its hashes, then its leaves: the bytes of its file."""
    return Run(RunInfo(f"{size:012d}-{len(block) // 2:012d}.run", len(block) // 2, zlib.crc32(block.data)), block)


def _open_run(root: Path, info: RunInfo) -> Run | None:
    import numpy as np

    path = root / INDEX / info.file
    try:
        if Path(info.file).name != info.file or path.stat().st_size != 16 * info.rows or not info.rows:
            return None
        block = np.memmap(path, dtype=np.uint64, mode="r")
    except (OSError, ValueError):
        return None
    return Run(info, block) if zlib.crc32(block.data) == info.crc else None


def _read_cover(root: Path) -> Cover | None:
    """``runs.json``: a line with the SHA-256 of the rest, then the rest."""
    try:
        digest, _, data = (root / RUNS).read_bytes().partition(b"\n")
        return msgspec.json.decode(data, type=Cover) if sha256(data).hexdigest().encode() == digest else None
    except (OSError, msgspec.MsgspecError):
        return None


def _write_cover(disk: Disk, root: Path, cover: Cover) -> None:
    data = msgspec.json.encode(cover)
    temporary = root / (RUNS + TEMPORARY)
    disk.write(temporary, sha256(data).hexdigest().encode() + b"\n" + data)
    disk.rename(temporary, root / RUNS)
