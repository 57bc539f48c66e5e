"""``verify``: everything in a store against its signed log. Read-only, and without the writer's code for the tree.

1. store.json names the log and its key (``vkey`` overrules it)
2. the log by ``ledger.fsck``: signature, root, every tile, every bundle, every partial, nothing else
3. its entries make sense together: each commit is record leaves and then what closes it, named as it should be
4. store.json is the one that entry 0 seals
5. every segment has the sealed hash, and every row SHA-256(salt ‖ kept) of its entry; rows are the record leaves
6. derived/ and aside/ are what the log seals, and no file is left that nothing accounts for
7. the checkpoint is not older than the last signed one, and continues it and any other that is shown

*Damage* is what nothing innocent explains. *Unfinished* is what a process leaves that ended early.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from custody.errors import CustodyError, LogError, StoreError
from custody.ledger import fsck
from custody.ledger.checkpoint import Checkpoint
from custody.ledger.entry import SegmentEntry, decode
from custody.ledger.fsck_tiles import Kind, Problem
from custody.ledger.proof import root_at
from custody.store import layout
from custody.store.history import RECORD_PREFIX, History
from custody.store.inventory import Inventory, damage, in_store, log_listing, unfinished
from custody.store.logfiles import LogFiles, open_checkpoint
from custody.store.payload_pool import check_segments
from custody.store.storefile import StoreFile, read_store_file

Progress = Callable[[int, int], None]


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. ``size`` and ``root`` (hex) are None where no checkpoint could be believed.

    ``records`` is the number of payloads compared with their entries. ``log`` is the folder of the tile tree and
    ``exempt`` what is not covered, both relative to the store.
    """

    origin: str
    vkey: str
    size: int | None
    root: str | None
    records: int
    problems: tuple[Problem, ...]
    log: str = layout.LOG
    exempt: tuple[str, ...] = layout.EXEMPT

    @property
    def damage(self) -> tuple[Problem, ...]:
        """Problems that nothing innocent explains."""
        return tuple(problem for problem in self.problems if problem.kind == Kind.DAMAGE)

    @property
    def unfinished(self) -> tuple[Problem, ...]:
        """What a commit left that did not finish; the next writer clears it."""
        return tuple(problem for problem in self.problems if problem.kind == Kind.UNFINISHED)


def verify(
    root: Path,
    *,
    vkey: str | None = None,
    last_signed: bytes | None = None,
    against: bytes | None = None,
    progress: Progress | None = None,
    processes: int = 2,
) -> Verification:
    """Verify the store at ``root``.

    ``vkey`` is the key one holds from elsewhere; without it the store's own word is taken, which a thief could change.
    ``last_signed`` is the note beside the key, ``against`` one held elsewhere. ``progress`` is called with records
    compared and records in all. StoreError where there is no store to speak of, LogError where ``vkey`` is not a key.
    """
    store = read_store_file(root)
    problems: list[Problem] = []
    if vkey is not None and vkey != store.vkey:
        problems.append(damage(layout.STORE_FILE, f"it names another key: found {store.vkey}, expected {vkey}"))
    key = vkey or store.vkey
    files = LogFiles(root)
    paths, temporary = log_listing(root)
    collector = _Collector()
    report = fsck.check_log(files.read, paths, key, on_entries=collector.take)
    problems += in_store(report.problems) + temporary
    records = 0
    point = report.checkpoint
    if point is not None:
        problems += collector.problems
        problems += _sealed_store(collector.history, store)
        records, found = _payloads(root, collector.history, point.size, progress, processes)
        problems += found + Inventory(root, collector.history, point.size).problems()
        problems += _other_notes(files, point, key, last_signed, against)
    return Verification(
        origin=store.origin,
        vkey=key,
        size=point.size if point else None,
        root=point.root.hex() if point else None,
        records=records,
        problems=tuple(problems),
    )


class _Collector:
    """Takes the entries as they are read: the history, and whether each commit is in order."""

    def __init__(self) -> None:
        self.history = History()
        self.problems: list[Problem] = []
        self._first, self._end = 0, 0

    def take(self, first: int, entries: Sequence[bytes]) -> None:
        """The entries from leaf ``first`` on. Bundles that could not be read leave a gap."""
        if first > self.history.size:
            self._first = self._end = first
        for leaf, raw in enumerate(entries, first):
            if not raw.startswith(RECORD_PREFIX):
                self._other(leaf, raw)
            elif self._end == leaf:
                self._end = leaf + 1
            else:
                self._name(leaf, "a record after an entry that is not one, in the same commit")
        self.history.size = first + len(entries)

    def _other(self, leaf: int, raw: bytes) -> None:
        try:
            self.history.add(leaf, raw)
            entry = decode(raw)
        except CustodyError as error:
            self._name(leaf, str(error))
            return
        if isinstance(entry, SegmentEntry):
            name = layout.segment_path(self._first, self._end) if self._end > self._first else None
            if (entry.file, entry.first, entry.end) != (name, self._first, self._end):
                found = f"{entry.file} for [{entry.first}, {entry.end})"
                self._name(leaf, f"a commit closes wrongly: found {found}, expected {name}")
            self._first = self._end = leaf + 1

    def _name(self, leaf: int, text: str) -> None:
        if len(self.problems) < 100:
            self.problems.append(damage(layout.LOG, f"leaf {leaf}: {text}"))


def _sealed_store(history: History, store: StoreFile) -> list[Problem]:
    first = history.said[0] if history.said else None
    sealed = first.entry.fields.get("sha256") if first and first.leaf == 0 else None
    if sealed == store.sha256:
        return []
    return [damage(layout.STORE_FILE, f"found SHA-256 {store.sha256}, expected {sealed}, which leaf 0 seals")]


def _payloads(
    root: Path, history: History, size: int, progress: Progress | None, processes: int
) -> tuple[int, list[Problem]]:
    commits = [closed for closed in history.closed if closed.file == layout.segment_path(closed.first, closed.end)]
    total = sum(closed.end - closed.first for closed in commits)
    compared = 0
    problems = []
    for closed, found in check_segments(root, commits, size, processes=processes):
        problems += [damage(str(closed.file), text) for text in found]
        compared += closed.end - closed.first
        if progress is not None:
            progress(compared, total)
    return compared, problems


def _other_notes(
    files: LogFiles, point: Checkpoint, vkey: str, last_signed: bytes | None, against: bytes | None
) -> list[Problem]:
    problems = []
    for note, name in ((last_signed, "the last signed checkpoint"), (against, "the checkpoint held elsewhere")):
        if note is None:
            continue
        try:
            other = open_checkpoint(note, vkey=vkey, origin=point.origin, where=name)
            if note is last_signed and other.size > point.size and _is_there(files, other):
                problems.append(unfinished(layout.CHECKPOINT, f"a commit up to {other.size} is signed, not published"))
                continue
            fsck.check_consistency(files.read, other, point)
        except (LogError, StoreError) as error:
            problems.append(damage(layout.CHECKPOINT, f"{name}: {error}"))
    return problems


def _is_there(files: LogFiles, other: Checkpoint) -> bool:
    try:
        return root_at(other.size, files.read) == other.root
    except LogError:
        return False
