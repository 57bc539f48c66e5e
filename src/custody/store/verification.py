"""``verify``: everything in a store against its signed log. Read-only, and without the writer's code for the tree.

1. store.json names the log and its key (``vkey`` overrules it)
2. the log by ``ledger.fsck``: signature, root, every tile, every bundle, every partial, nothing else
3. its entries make sense together: each commit is record leaves and then what closes it, named as it should be
4. store.json is the one that entry 0 seals
5. every segment has the sealed hash, or that to which sealed erasures lead from it, and every row SHA-256(salt ‖ kept)
   of its entry; rows are the record leaves; erased rows are empty, and no others were emptied with them
6. derived/ and aside/ are what the log seals, and no file is left that nothing accounts for
7. the checkpoint is not older than the last signed one, and continues it and any other that is shown
8. the log of approvals, where there is one, likewise (``store.approvals_check``)

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
from custody.ledger.note import Verifier, parse_note
from custody.ledger.proof import root_at
from custody.store import approvals_check, layout
from custody.store.erasing import waiting
from custody.store.erasure import NEXT, Erasures, Expected
from custody.store.history import RECORD_PREFIX, History
from custody.store.inventory import Inventory, damage, in_store, log_listing, unfinished
from custody.store.logfiles import LogFiles, open_checkpoint
from custody.store.payload_pool import check_segments
from custody.store.rotation import is_rotation, keys_of, read_rotations
from custody.store.storefile import StoreFile, read_store_file

Progress = Callable[[int, int], None]


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. ``size`` and ``root`` (hex) are None where no checkpoint could be believed.

    ``records`` is the number of rows compared with their entries, ``erased`` of those without payload because sealed
    statements say that it was erased. ``log`` is the folder of the tile tree and ``exempt`` what is not covered, both
    relative to the store.
    """

    origin: str
    vkey: str
    size: int | None
    root: str | None
    records: int
    problems: tuple[Problem, ...]
    erased: int = 0
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
    approvals_vkey: str | None = None,
    progress: Progress | None = None,
    processes: int = 2,
) -> Verification:
    """Verify the store at ``root``.

    ``vkey`` is the key one holds from elsewhere; without it the store's own word is taken, which a thief could change.
    ``last_signed`` is the note beside the key, ``against`` one held elsewhere, ``approvals_vkey`` the key of the log of
    approvals where one holds it from elsewhere. ``progress`` is called with records
    compared and records in all. StoreError where there is no store to speak of, LogError where ``vkey`` is not a key.
    """
    store = read_store_file(root)
    problems: list[Problem] = []
    vkeys = _keys(root, store, vkey, problems)
    key = vkeys[-1]
    files = LogFiles(root)
    paths, temporary = log_listing(root)
    collector = _Collector()
    report = fsck.check_log(files.read, paths, key, on_entries=collector.take)
    problems += in_store(report.problems) + temporary
    records = erased = 0
    point = report.checkpoint
    if point is not None:
        problems += collector.problems
        problems += _sealed_store(collector.history, store)
        commits = _commits(root, collector.history, problems)
        erased = sum(each.erased for each in commits)
        records, found = _payloads(root, commits, point.size, progress, processes)
        problems += found + Inventory(root, collector.history, point.size).problems()
        problems += _other_notes(files, point, vkeys, last_signed, against)
        problems += _sealed_rotations(root, collector.history)
        problems += approvals_check.check(root, collector.history, files, point, approvals_vkey)
    return Verification(
        origin=store.origin,
        vkey=key,
        size=point.size if point else None,
        root=point.root.hex() if point else None,
        records=records,
        problems=tuple(problems),
        erased=erased,
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


def _commits(root: Path, history: History, problems: list[Problem]) -> list[Expected]:
    """What each segment should be. Where an erasure is sealed and not finished, the file that is to take its place."""
    erasures = Erasures(history)
    problems += [damage(layout.LOG, f"leaf {leaf}: {text}") for leaf, text in erasures.problems]
    found = []
    for closed in history.closed:
        if closed.file == layout.segment_path(closed.first, closed.end):
            expected = erasures.expected(closed)
            if waiting(root, expected):
                closed = msgspec.structs.replace(closed, file=closed.file + NEXT)  # noqa: PLW2901  # the same commit
                expected = msgspec.structs.replace(expected, closed=closed)
            found.append(expected)
    return found


def _payloads(
    root: Path, commits: Sequence[Expected], size: int, progress: Progress | None, processes: int
) -> tuple[int, list[Problem]]:
    total = sum(each.closed.end - each.closed.first for each in commits)
    compared = 0
    problems = []
    for each, found in check_segments(root, commits, size, processes=processes):
        closed = each.closed
        problems += [damage(str(closed.file), text) for text in found]
        compared += closed.end - closed.first
        if progress is not None:
            progress(compared, total)
    return compared, problems


def _keys(root: Path, store: StoreFile, vkey: str | None, problems: list[Problem]) -> tuple[str, ...]:
    """The keys of the log from ``vkey`` on, else from its first: each is vouched for by the one before it."""
    try:
        keys = keys_of(root, store)
    except StoreError as error:
        problems.append(damage(layout.ROTATIONS, str(error)))
        keys = (store.vkey,)
    if vkey is None:
        return keys
    if vkey in keys:
        return keys[keys.index(vkey) :]
    problems.append(damage(layout.STORE_FILE, f"it names another key: found {keys[-1]}, expected {vkey}"))
    return (vkey,)


def _sealed_rotations(root: Path, history: History) -> list[Problem]:
    """The file of rotations holds what the log seals; one that is sealed and not in the file is taken up later."""
    sealed = [str(one.entry.fields.get("note")) for one in history.said if is_rotation(one.entry)]
    try:
        here = list(read_rotations(root))
    except StoreError:
        return []  # _keys has said so
    if here == sealed:
        return []
    if here == sealed[:-1]:
        return [unfinished(layout.ROTATIONS, "a rotation of the key is sealed and not finished")]
    return [damage(layout.ROTATIONS, f"{len(here)} rotations here, {len(sealed)} sealed in the log, or others")]


def _other_notes(
    files: LogFiles, point: Checkpoint, vkeys: Sequence[str], last_signed: bytes | None, against: bytes | None
) -> list[Problem]:
    problems = []
    for note, name in ((last_signed, "the last signed checkpoint"), (against, "the checkpoint held elsewhere")):
        if note is None:
            continue
        try:
            other = open_checkpoint(note, vkey=_signer_of(note, vkeys), origin=point.origin, where=name)
            if note is last_signed and other.size > point.size and _is_there(files, other):
                problems.append(unfinished(layout.CHECKPOINT, f"a commit up to {other.size} is signed, not published"))
                continue
            fsck.check_consistency(files.read, other, point)
        except (LogError, StoreError) as error:
            problems.append(damage(layout.CHECKPOINT, f"{name}: {error}"))
    return problems


def _signer_of(note: bytes, vkeys: Sequence[str]) -> str:
    """Which of the log's keys a note says that it is signed by; the last where it says none."""
    try:
        said = {(one.name, one.key_id) for one in parse_note(note).others}
    except LogError:
        return vkeys[-1]
    verifiers = [Verifier.parse(vkey) for vkey in vkeys]
    return next((one.vkey for one in reversed(verifiers) if (one.name, one.key_id) in said), vkeys[-1])


def _is_there(files: LogFiles, other: Checkpoint) -> bool:
    try:
        return root_at(other.size, files.read) == other.root
    except LogError:
        return False
