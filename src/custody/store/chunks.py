"""Cutting batches into commits, and what one commit is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import compress
from typing import TYPE_CHECKING, TypeVar

import msgspec

from custody.errors import StoreError
from custody.ledger.entry import segment_entry, statement_entry
from custody.ledger.merkle import leaf_hash
from custody.model.records import Batch
from custody.store import layout, parts, segments
from custody.store.dedupe import Decided, Piece
from custody.store.derived import STATEMENT_PARTS
from custody.store.disk import Data
from custody.store.history import Known

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

V = TypeVar("V")

MAX_RECORDS = layout.MAX_LEAVES - 2
"""Records read in one commit: room is left for the parts statement and the segment entry."""

MAX_FILES = 2000
"""Acquisitions that one segment entry can name within the limit of an entry."""

MAX_BYTES = 256 << 20
"""Kept bytes in one commit after which no further batch is begun."""


class Change(msgspec.Struct, frozen=True):
    """What one commit adds: entries with their leaf hashes, files by path, and which entries are not records'."""

    entries: list[bytes]
    leaves: bytes
    files: dict[str, Data]
    others: list[tuple[int, bytes]]


def check_batch(batch: Batch) -> None:
    """StoreError where the columns of a batch differ in length."""
    count = len(batch)
    columns: list[Sequence[object]] = [
        batch.identity_hashes, batch.sources, batch.ids, batch.forms, batch.kept, batch.salts, batch.skips,
    ]  # fmt: skip
    if any(len(column) != count for column in columns) or len(batch.leaves) != 32 * count:
        raise StoreError("the columns of a batch differ in length", where=f"file at leaf {batch.acquisition}")


def check_order(batches: Sequence[Batch], files: dict[int, Known]) -> None:
    """StoreError where a batch is not the next of its file: it would lose records or count them twice."""
    following: dict[int, tuple[int, bool]] = {}
    for batch in batches:
        check_batch(batch)
        known = files.get(batch.acquisition)
        if known is None:
            raise StoreError("a batch of a file that was not acquired", found=f"leaf {batch.acquisition}")
        ordinal, done = following.get(batch.acquisition, (known.records, known.done))
        if done or batch.ordinal != ordinal:
            raise StoreError(
                "a batch is not the next of its file",
                where=known.path,
                found=f"record {batch.ordinal}",
                expected="nothing more" if done else f"record {ordinal}",
            )
        following[batch.acquisition] = (ordinal + len(batch), batch.last)


def cut(batches: Iterable[Batch]) -> Iterator[list[Piece]]:
    """Cut batches into lots that each fit in one commit, in order."""
    pieces: list[Piece] = []
    records, size = 0, 0
    files: set[int] = set()
    for batch in batches:
        start = 0
        while True:
            stop = min(len(batch), start + MAX_RECORDS - records)
            full = size >= MAX_BYTES or (batch.acquisition not in files and len(files) == MAX_FILES)
            if not full and (stop > start or not len(batch)):
                pieces.append(Piece(batch, start, stop))
                files.add(batch.acquisition)
                records += stop - start
                start = stop
            if start == len(batch) and not full:
                break
            yield pieces
            pieces, records, size, files = [], 0, 0, set()
        size += sum(len(kept) for kept in batch.kept if kept is not None)
    if pieces:
        yield pieces


def compose(pieces: Sequence[Piece], decided: Decided, first: int) -> tuple[Change, NDArray[np.uint64]]:
    """The commit of ``pieces`` in a log of ``first`` leaves, and the identity hashes of the records sealed."""
    import numpy as np

    rows = _Rows(pieces, decided)
    sealed = rows.column(lambda batch: batch.entries)
    end = first + len(sealed)
    files: dict[str, Data] = {}
    digest = None
    if sealed:
        segment = segments.encode(
            first,
            rows.column(lambda batch: batch.forms),
            rows.column(lambda batch: batch.salts),
            rows.column(lambda batch: batch.kept),
        )
        files[layout.segment_path(first, end)] = segment
        digest = sha256(segment).hexdigest()
    derived = _derived(rows, first, end)
    others = _closing(rows, derived, first, end, digest)
    files.update(derived)
    leaves = rows.leaves() + b"".join(map(leaf_hash, others))
    hashes = np.array(rows.column(lambda batch: batch.identity_hashes), np.uint64)
    return Change(sealed + others, leaves, files, list(enumerate(others, end))), hashes


def compose_other(entries: list[bytes], first: int) -> Change:
    """The commit of entries that are not records' in a log of ``first`` leaves."""
    entries = [*entries, segment_entry(None, None, first, first, [])]
    return Change(entries, b"".join(map(leaf_hash, entries)), {}, list(enumerate(entries, first)))


def _closing(rows: _Rows, derived: dict[str, Data], first: int, end: int, digest: str | None) -> list[bytes]:
    others = []
    if derived:
        sealed = [[path, sha256(data).hexdigest()] for path, data in derived.items()]
        others.append(statement_entry(STATEMENT_PARTS, {"files": sealed}))
    file = layout.segment_path(first, end) if digest else None
    others.append(segment_entry(file, digest, first, end, rows.consumed()))
    return others


def _derived(rows: _Rows, first: int, end: int) -> dict[str, Data]:
    files: dict[str, Data] = {}
    events = parts.encode_events(rows.parts(first))
    if events is not None:
        files[layout.events_path(first, end)] = events
    reasons = rows.column(lambda batch: batch.skips)
    skipped = [number for number, reason in enumerate(reasons) if reason is not None]
    if skipped:
        sources, ids = rows.column(lambda batch: batch.sources), rows.column(lambda batch: batch.ids)
        skips = parts.encode_skips(
            [first + number for number in skipped],
            [sources[number] for number in skipped],
            [ids[number] for number in skipped],
            [reason for reason in reasons if reason is not None],
        )
        if skips is not None:
            files[layout.skips_path(first, end)] = skips
    return files


class _Rows:
    """The records of pieces, less the duplicates."""

    def __init__(self, pieces: Sequence[Piece], decided: Decided) -> None:
        self._pieces = pieces
        self._keep: list[NDArray[np.bool_] | None] = []
        at = 0
        for piece in pieces:
            keep = None if decided.sealed is None else decided.sealed[at : at + len(piece)]
            self._keep.append(None if keep is None or keep.all() else keep)
            at += len(piece)

    def column(self, pick: Callable[[Batch], list[V]]) -> list[V]:
        """One column of the records that are sealed."""
        values: list[V] = []
        for piece, keep in zip(self._pieces, self._keep, strict=True):
            part = pick(piece.batch)[piece.start : piece.stop]
            values += part if keep is None else compress(part, keep.tolist())
        return values

    def leaves(self) -> bytes:
        """Their leaf hashes, joined."""
        import numpy as np

        found = []
        for piece, keep in zip(self._pieces, self._keep, strict=True):
            hashes = piece.batch.leaves[32 * piece.start : 32 * piece.stop]
            found.append(hashes if keep is None else np.frombuffer(hashes, "V32")[keep].tobytes())
        return b"".join(found)

    def parts(self, first: int) -> list[tuple[pa.RecordBatch, NDArray[np.int64]]]:
        """The parts of each piece, with the leaf of every row of its batch (-1 where it is not sealed here)."""
        import numpy as np

        found = []
        for piece, keep in zip(self._pieces, self._keep, strict=True):
            leaf_of_row = np.full(len(piece.batch), -1, np.int64)
            rows = np.arange(piece.start, piece.stop)
            rows = rows if keep is None else rows[keep]
            leaf_of_row[rows] = np.arange(first, first + len(rows))
            first += len(rows)
            found.append((piece.batch.parts, leaf_of_row))
        return found

    def consumed(self) -> list[tuple[int, int, int, int]]:
        """For each acquisition: its leaf, records read, duplicates among them, 1 where it is done."""
        found: dict[int, tuple[int, int, int, int]] = {}
        for piece, keep in zip(self._pieces, self._keep, strict=True):
            leaf = piece.batch.acquisition
            _, read, duplicates, done = found.get(leaf, (leaf, 0, 0, 0))
            done |= piece.batch.last and piece.stop == len(piece.batch)
            more = 0 if keep is None else len(piece) - int(keep.sum())
            found[leaf] = (leaf, read + len(piece), duplicates + more, int(done))
        return list(found.values())
