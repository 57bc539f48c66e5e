"""Opening the caches in ``STORE/index``: each is believed as far as it fits the log, the rest is read from the log.

A cache says which size of the log it covers and the root there; only where the log's tiles give that root is it used.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from custody.errors import LogError, StoreError
from custody.ledger.proof import root_at
from custody.store.disk import Disk
from custody.store.history import JOURNAL, Frame, History, encode_frame, others, read_frames
from custody.store.index import RUNS, Index, rows_of
from custody.store.layout import INDEX, MAX_LEAVES
from custody.store.logfiles import LogFiles

if TYPE_CHECKING:
    from custody.store.index import Hashes, Leaves


def load_history(root: Path, files: LogFiles, size: int) -> tuple[History, Frame | None]:
    """The history of the log of ``size``, and the frame that the journal lacks.

    That frame starts at 0 where the journal is of no use.
    """
    frames = list(read_frames(root, size))
    if frames and not _fits(files, frames[-1].end, frames[-1].root):
        frames = []
    history = History()
    try:
        for frame in frames:
            _fold(history, frame)
    except (LogError, StoreError):
        history = History()
    return history, _catch_up(history, files, size)


def keep_history(disk: Disk, root: Path, history: History, missing: Frame | None) -> None:
    """Make the journal hold the frame that ``load_history`` found missing, and nothing torn."""
    path = root / JOURNAL
    known = b"".join(map(encode_frame, read_frames(root, history.size)))
    whole = known if missing is None else encode_frame(missing) if missing.first == 0 else known + encode_frame(missing)
    if missing is not None or (path.exists() and path.stat().st_size != len(whole)):
        disk.write(path, whole)


def load_index(root: Path, files: LogFiles, size: int) -> Index:
    """The index as far as its cache fits the log of ``size``."""
    index, top = Index.open(root, size)
    return index if _fits(files, index.size, top) else Index(root)


def keep_index(disk: Disk, root: Path, index: Index, files: LogFiles, size: int) -> None:
    """Extend the index to ``size`` and remove files in its folder that belong to no cache."""
    if index.size < size:
        hashes, leaves = _missing_rows(index, files, size)
        index.add(disk, hashes, leaves, size=size, top=root_at(size, files.read))
    keep = {Path(JOURNAL).name, Path(RUNS).name, *index.names()}
    folder = root / INDEX
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name not in keep:
            disk.delete(path)


def complete_in_memory(index: Index, files: LogFiles, size: int) -> Index:
    """Extend the index to ``size`` without writing, as a reader does."""
    if index.size < size:
        index.remember(*_missing_rows(index, files, size), size=size)
    return index


def _missing_rows(index: Index, files: LogFiles, size: int) -> tuple[Hashes, Leaves]:
    import numpy as np

    entries = files.entries(index.size, size, size)
    lots = [rows_of(())]
    while lot := list(islice(entries, MAX_LEAVES)):
        lots.append(rows_of(lot))
    return np.concatenate([hashes for hashes, _ in lots]), np.concatenate([leaves for _, leaves in lots])


def _fits(files: LogFiles, size: int, top: bytes) -> bool:
    try:
        return size > 0 and root_at(size, files.read) == top
    except LogError:
        return False


def _fold(history: History, frame: Frame) -> None:
    for leaf, raw in frame.rows:
        if not frame.first <= leaf < frame.end:
            raise StoreError("a frame of the journal names a leaf outside it", found=str(leaf))
        history.add(leaf, raw)
    history.size = frame.end


def _catch_up(history: History, files: LogFiles, size: int) -> Frame | None:
    if history.size == size:
        return None
    rows = others(files.entries(history.size, size, size))
    frame = Frame(history.size, size, root_at(size, files.read), rows)
    _fold(history, frame)
    return frame
