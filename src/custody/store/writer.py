"""The one writer of a store: opening, recovering, and every way in which the log may grow."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec

from custody.errors import StoreError
from custody.ledger.entry import (
    AcquisitionEntry,
    SegmentEntry,
    acquisition_entry,
    decode,
    statement_entry,
)
from custody.model.records import Acquisition, Batch
from custody.store import derived, erasing, layout, recovery
from custody.store.caches import keep_history, keep_index, load_history, load_index
from custody.store.chunks import Change, check_order, compose, compose_other, cut
from custody.store.commit import Log
from custody.store.dedupe import Decided, Piece, decide
from custody.store.disk import Disk, RealDisk, disk_error, make_folders, replace
from custody.store.erasure import Why
from custody.store.history import JOURNAL, Frame, Known, encode_frame
from custody.store.keyring import create_keys, open_keys
from custody.store.lock import lock_store
from custody.store.logfiles import LogFiles
from custody.store.payloads import Payloads
from custody.store.rotation import STATEMENT as STATEMENT_ROTATION
from custody.store.rotation import encode, is_rotation, keys_of, next_key, read_rotations, rotation_note
from custody.store.storefile import StoreFile, check_sealed, new_store, read_store_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STATEMENT_STORE = "store"
STATEMENT_RECOVERY = "recovery"


def ignored(_: int) -> None:
    """Watch nothing."""


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """What ``commit`` did: the log grew from ``first`` to ``size`` leaves.

    ``records`` were read, of which ``sealed`` are new (``conflicts`` of them contradict an earlier value of their
    identity) and ``duplicates`` were counted only; of ``erased`` of these the identity is that of an erased record,
    whose value nobody can compare any more.
    """

    first: int
    size: int
    records: int
    sealed: int
    duplicates: int
    conflicts: int
    erased: int = 0


class Writer:
    """The open store. A context manager: the lock is held until ``close``. A failed commit is its last."""

    def __init__(self, disk: Disk, root: Path, keys: Path, *, now: str, version: str, wait: float = 0.0) -> None:
        self._disk, self._root, self._now, self._version = disk, root, now, version
        self._lock = lock_store(root, wait)
        try:
            self._open(keys)
        except OSError as error:
            self._lock.release()
            raise disk_error(error, where=str(root), doing="opening the store") from error
        except BaseException:
            self._lock.release()
            raise

    @classmethod
    def open(
        cls, root: Path, keys: Path, *, now: str, version: str, disk: Disk | None = None, wait: float = 0.0
    ) -> Writer:
        """Open the store at ``root`` for writing, or make it; ``keys`` is the folder of keys, never under the store.

        ``now`` (RFC 3339) and ``version`` are sealed with what opening does: the creation, a recovery. Where another
        writer is at work, it is waited for up to ``wait`` seconds. Raises StoreLocked, StoreNewer, StoreForked, and
        StoreError where the keys are missing or the disk fails.
        """
        return cls(disk or RealDisk(), root, keys, now=now, version=version, wait=wait)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files and the lock."""
        self._payloads.close()
        self._lock.release()

    @property
    def size(self) -> int:
        """Leaves committed."""
        return self._log.size

    @property
    def store(self) -> StoreFile:
        """Which store this is."""
        return self._store

    @property
    def secret(self) -> bytes:
        """The store's 32-byte secret, for hashes of personal identities and of masked values that a join needs."""
        return self._keyring.secret

    def acquire(self, acquisitions: Sequence[Acquisition], *, by: str, at: str) -> list[int]:
        """Seal that files were received, and return the leaf of each.

        One commit up to 65,535 files. ``by`` says who runs this, ``at`` when (RFC 3339).
        """
        leaves: list[int] = []
        step = layout.MAX_LEAVES - 1
        for start in range(0, len(acquisitions), step):
            lot = acquisitions[start : start + step]
            leaves += range(self.size, self.size + len(lot))
            self._grow([acquisition_entry(one, by=by, version=self._version, at=at) for one in lot])
        return leaves

    def commit(self, batches: Sequence[Batch]) -> Committed:
        """Dedupe, seal and publish the records of ``batches``, in as many commits as they need.

        Batches of one file come in order and without gaps, else StoreError and nothing is sealed. Everything that is
        published stays, also where a later commit of the same call fails.
        """
        check_order(batches, self._history.files)
        first, sealed, conflicts, erased = self.size, 0, 0, 0
        for pieces in cut(batches):
            new, decided = self._commit(pieces)
            sealed, conflicts, erased = sealed + new, conflicts + decided.conflicts, erased + decided.erased
        records = sum(map(len, batches))
        return Committed(
            first=first,
            size=self.size,
            records=records,
            sealed=sealed,
            duplicates=records - sealed,
            conflicts=conflicts,
            erased=erased,
        )

    def seal(self, what: str, fields: Mapping[str, object]) -> int:
        """Seal a statement in a commit of its own and return its leaf."""
        leaf = self.size
        self._grow([statement_entry(what, fields)])
        return leaf

    def rotate_key(self, *, by: str, reason: str) -> str:
        """Go on with a new key, drawn here, and return its verifier key. The old seed is gone when this returns.

        See ``store.rotation`` for the steps. StoreError where the disk fails: the next writer goes on from there.
        """
        try:
            upcoming = self._keyring.upcoming()
            note = self._keyring.rotation_to(upcoming, rotation_note)
            self.seal(STATEMENT_ROTATION, {"note": note, "by": by, "reason": reason, "at": self._now})
            self._finish_rotation()
        except OSError as error:
            self._log.fail()
            raise disk_error(error, where=str(self._root), doing="rotating the key") from error
        return self._keyring.vkey

    def _finish_rotation(self) -> None:
        """Steps 3 to 5 of a rotation whose statement is sealed; nothing where all are done."""
        notes = [str(one.entry.fields.get("note")) for one in self._history.said if is_rotation(one.entry)]
        if len(notes) == len(read_rotations(self._root)):
            return
        if not self._keyring.rotating or self._keyring.upcoming().vkey != next_key(notes[-1]):
            raise StoreError(
                "the key that the log was rotated to is not here",
                where=str(self._root),
                expected=next_key(notes[-1]),
                advice="Restore the key folder as it was at the rotation. Without it start a new store.",
            )
        self._log.sign_both()
        replace(self._disk, self._root / layout.ROTATIONS, encode(notes))
        self._keyring.switch()

    def erase(self, going: Iterable[erasing.Going], why: Why, done: Callable[[int], None] = ignored) -> list[int]:
        """Erase the payloads and salts of records for good and return the leaves of the statements that say so.

        See ``store.erasing`` for the steps. Every derived table goes too: publish them anew. ``done`` is told how many
        segments are finished. StoreError where the disk fails; what was sealed by then the next writer finishes.
        """
        self._log.check()
        leaves: list[int] = []
        try:
            for lot in erasing.lots(self._disk, self._root, self._history, going):
                said = erasing.entries(lot, why, erasing.aside_files(self._root, self._history))
                leaves += range(self.size, self.size + len(lot))
                self._grow(said)
                self._payloads.forget()
                erasing.settle(self._disk, self._root, self._history)
                derived.clear_superseded(self._disk, self._root, self._history)
                done(len(lot))
        except OSError as error:
            self._log.fail()
            raise disk_error(error, where=str(self._root), doing="erasing") from error
        return leaves

    def last_statement(self, what: str) -> Mapping[str, object] | None:
        """What the last statement of a kind says, None where there is none."""
        said = self._history.last(what)
        return None if said is None else said.entry.fields

    @property
    def recovered(self) -> tuple[str, ...]:
        """What opening this store had to mend, one sentence each."""
        return self._recovered

    def known(self, received: str) -> list[Known]:
        """The files that were acquired with this SHA-256 (hex) as received, and how far each one is.

        Each is confirmed in full in the log itself: the cache that finds it proves nothing.
        """
        return [self._confirmed(leaf) for leaf in self._history.received.get(received, ())]

    def pending(self) -> list[Known]:
        """The files that are not done, in order of leaf."""
        return [known for known in self._history.files.values() if not known.done]

    def fresh_derived(self) -> Path:
        """A new, empty folder under ``derived/`` for the next generation of tables."""
        number = 0
        while (path := self._root / layout.DERIVED / f"{self.size:012d}-{number}").exists():
            number += 1
        make_folders(path)
        return path

    def publish_derived(
        self, folder: str, files: Sequence[str], meta: derived.Facts, *, parts: Sequence[str] | None = None
    ) -> bool:
        """Make the tables ``files`` (names in ``derived/<folder>``) the ones in force; False where they already were.

        The manifest names them with the parts files, by hash and size, and is sealed. ``parts`` (paths in the folder,
        ``events/…`` and ``skips/…``) replaces the parts files, as a rebuild does; without it those in force stay.
        """
        self._log.check()
        before = f"{layout.DERIVED}/{folder}/"
        if parts is None:
            kept = [file.path for file in derived.current_files(self._root, self._history)]
            kept = [path for path in kept if Path(path).parent.name in {"events", "skips"}]
        else:
            kept = [before + name for name in parts]
        try:
            sealed = derived.seal_files(self._root, [*(before + name for name in files), *kept])
            manifest = derived.Manifest(format=1, size=self.size, folder=folder, files=sealed, meta=dict(meta))
            return self._publish_manifest(manifest)
        except OSError as error:
            self._log.fail()
            raise disk_error(error, where=str(self._root), doing="publishing derived tables") from error

    def _publish_manifest(self, manifest: derived.Manifest) -> bool:
        current = derived.read_manifest(self._root)
        if current is not None and derived.same_tables(manifest, current):
            derived.clear_others(self._disk, self._root, current)
            return False
        data = manifest.encode()
        self._disk.sync_all(self._root, [self._root / file.path for file in manifest.files])
        replace(self._disk, self._root / layout.MANIFEST_NEXT, data)
        digest = sha256(data).hexdigest()
        self.seal(derived.STATEMENT_DERIVED, {"manifest": digest, "size": manifest.size, "at": self._now})
        self._disk.rename(self._root / layout.MANIFEST_NEXT, self._root / layout.MANIFEST)
        self._disk.sync_folder(self._root / layout.DERIVED)
        derived.clear_others(self._disk, self._root, manifest)
        return True

    def _open(self, keys: Path) -> None:
        disk, root = self._disk, self._root
        recovery.clear_temporary(disk, root)
        if (root / layout.STORE_FILE).exists() or (root / layout.CHECKPOINT).exists():
            self._store = read_store_file(root)
            vkey = keys_of(root, self._store)[-1]
            self._keyring = open_keys(disk, keys, self._store.store, self._store.origin, vkey=vkey)
        else:
            store_id = os.urandom(16).hex()
            self._keyring = create_keys(disk, keys, store_id, layout.origin_of(store_id), root=root)
            self._store = new_store(store_id, self._keyring.vkey)
            replace(disk, root / layout.STORE_FILE, self._store.encode())
        self._files = LogFiles(root)
        tree, published = recovery.settle(disk, root, self._files, self._keyring, self._store.origin)
        self._log = Log(disk, root, self._keyring, self._store.origin, tree)
        recovery.move_aside(disk, root, tree.size)
        self._load_caches()
        self._check_store()
        self._record_recovery(published)
        self._finish_rotation()

    def _load_caches(self) -> None:
        size = self.size
        self._history, missing = load_history(self._root, self._files, size)
        mended = erasing.settle(self._disk, self._root, self._history)
        self._recovered: tuple[str, ...] = mended
        self._payloads = Payloads(self._root, self._history.closed)
        recovery.tidy_partials(self._disk, self._root, self._published_before(), size)
        keep_history(self._disk, self._root, self._history, missing)
        self._index = load_index(self._root, self._files, size)
        keep_index(self._disk, self._root, self._index, self._files, size)
        derived.settle_manifest(self._disk, self._root, self._history)

    def _published_before(self) -> int:
        closed = self._history.closed
        return closed[-2].leaf + 1 if len(closed) > 1 else 0

    def _check_store(self) -> None:
        """Seal store.json in entry 0 of a new log, or check that it is the one that is sealed there."""
        digest = self._store.sha256
        if self.size == 0:
            fields = {"sha256": digest, "store": self._store.store, "version": self._version, "at": self._now}
            self.seal(STATEMENT_STORE, fields)
            return
        check_sealed(self._history, self._store, self._root)

    def _record_recovery(self, published: int | None) -> None:
        said = [one.entry.fields.get("aside") for one in self._history.said if one.entry.what == STATEMENT_RECOVERY]
        sealed = {str(row[0]) for rows in said if isinstance(rows, list) for row in rows}
        moved = recovery.list_aside(self._disk, self._root, sealed)
        if published is None and not moved:
            return
        fields: dict[str, object] = {"at": self._now, "version": self._version, "size": self.size}
        if published is not None:
            fields["published_from"] = published
            self._recovered += (f"a commit that was cut off was published, from size {published} to {self.size}",)
        if moved:
            fields["aside"] = [[one.folder, one.manifest, one.files] for one in moved]
            files = sum(one.files for one in moved)
            self._recovered += (f"{files} files of a commit that was never signed were moved to {moved[0].folder}",)
        self.seal(STATEMENT_RECOVERY, fields)

    def _commit(self, pieces: Sequence[Piece]) -> tuple[int, Decided]:
        size = self.size
        decided = decide(pieces, self._index, lambda leaf: self._files.entry(leaf, size), self._payloads)
        change, hashes = compose(pieces, decided, size)
        self._publish(change, hashes, len(hashes))
        return len(hashes), decided

    def _grow(self, entries: list[bytes]) -> None:
        import numpy as np

        for entry in entries:
            decode(entry)
        self._publish(compose_other(entries, self.size), np.empty(0, np.uint64), 0)

    def _publish(self, change: Change, hashes: NDArray[np.uint64], records: int) -> None:
        import numpy as np

        first = self.size
        self._log.publish(change.entries, change.leaves, change.files)
        try:
            for leaf, entry in change.others:
                self._history.add(leaf, entry)
            self._history.size = self.size
            frame = Frame(first, self.size, self._log.root, change.others)
            self._disk.append(self._root / JOURNAL, encode_frame(frame))
            leaves = np.arange(first, first + records, dtype=np.int64)
            self._index.add(self._disk, hashes, leaves, size=self.size, top=self._log.root)
        except OSError as error:
            self._log.fail()
            raise disk_error(error, where=str(self._root), doing="extending the index") from error

    def _confirmed(self, leaf: int) -> Known:
        cached = self._history.files[leaf]
        entry = decode(self._files.entry(leaf, self.size))
        rows = [row for at in self._history.consumed.get(leaf, ()) for row in self._rows(at) if row[0] == leaf]
        known = (sum(row[1] for row in rows), sum(row[2] for row in rows), any(row[3] for row in rows))
        same = isinstance(entry, AcquisitionEntry) and (entry.received, entry.member) == (
            cached.received,
            cached.member,
        )
        if not same or known != (cached.records, cached.duplicates, cached.done):
            raise StoreError(
                "a cache contradicts the log",
                where=f"{JOURNAL}, leaf {leaf}",
                advice=f"Delete the folder {layout.INDEX} in the store: it is made again from the log.",
            )
        return cached

    def _rows(self, leaf: int) -> Sequence[tuple[int, int, int, int]]:
        entry = decode(self._files.entry(leaf, self.size))
        return entry.files if isinstance(entry, SegmentEntry) else ()
