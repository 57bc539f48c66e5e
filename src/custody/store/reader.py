"""Reading a store without its keys and without its lock: as of the checkpoint that was found on opening."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from custody.errors import LogError, NotFound, StoreError
from custody.ledger.checkpoint import Checkpoint
from custody.ledger.entry import AcquisitionEntry, Entry, RecordEntry, SegmentEntry, decode
from custody.ledger.proof import format_proof, inclusion_proof
from custody.store.caches import complete_in_memory, load_history, load_index
from custody.store.derived import Manifest, parts_files, read_manifest, superseded
from custody.store.erasure import Erasures
from custody.store.history import Closed, History, Known, Said
from custody.store.index import identity_hash
from custody.store.layout import CHECKPOINT
from custody.store.logfiles import LogFiles, open_checkpoint
from custody.store.payloads import Payloads
from custody.store.rotation import keys_of
from custody.store.segments import Kept, Segment
from custody.store.storefile import StoreFile, read_store_file


class Counts(msgspec.Struct, frozen=True):
    """``records`` read from files, ``duplicates`` among them that were not sealed, ``leaves`` of records in the log."""

    records: int
    duplicates: int
    leaves: int


class Reader:
    """An open store. A context manager. Nothing is written, and what is read is not proven: that is ``verify``.

    ``vkeys`` are the keys that the log had, the one that signs now last.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files = LogFiles(root)
        self._store = read_store_file(root)
        note = self._files.checkpoint_note()
        if note is None:
            raise StoreError(
                "the store has no checkpoint yet", where=str(root), advice="`custody audit PATH` makes one."
            )
        where = str(root / CHECKPOINT)
        self._note = note
        self.vkeys = keys_of(root, self._store)
        self._checkpoint = open_checkpoint(note, vkey=self.vkeys[-1], origin=self._store.origin, where=where)
        self._history: History | None = None
        self._payloads: Payloads | None = None

    @classmethod
    def open(cls, root: Path) -> Reader:
        """Open the store at ``root``. StoreError where there is none or it is damaged, StoreNewer where it is newer."""
        return cls(root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        if self._payloads is not None:
            self._payloads.close()

    @property
    def root(self) -> Path:
        """The folder of the store."""
        return self._root

    @property
    def store(self) -> StoreFile:
        """Which store this is."""
        return self._store

    @property
    def size(self) -> int:
        """Leaves in the log."""
        return self._checkpoint.size

    def checkpoint(self) -> Checkpoint:
        """The checkpoint that was found on opening, its signature verified."""
        return self._checkpoint

    def note(self) -> bytes:
        """The signed note of it."""
        return self._note

    def read(self, path: str) -> bytes:
        """The bytes of a file inside the log (``tile/0/000``); FileNotFoundError where it is absent."""
        return self._files.read(path)

    def entry(self, leaf: int) -> Entry:
        """What the entry at ``leaf`` says; NotFound past the end of the log."""
        return decode(self.raw_entry(leaf))

    def raw_entry(self, leaf: int) -> bytes:
        """The bytes of the entry at ``leaf``: what was hashed into the tree."""
        return self._files.entry(leaf, self.size)

    def record(self, leaf: int) -> RecordEntry:
        """The record entry at ``leaf``; NotFound where it is another kind."""
        entry = self.entry(leaf)
        if not isinstance(entry, RecordEntry):
            raise NotFound("the leaf is not a record's", where=f"leaf {leaf}")
        return entry

    def content_of(self, leaf: int) -> str:
        """The SHA-256 (hex) of the innermost content of the acquisition at ``leaf``."""
        entry = self.entry(leaf)
        if not isinstance(entry, AcquisitionEntry):
            raise NotFound("not an acquisition", where=f"leaf {leaf}")
        return entry.content

    def kept(self, leaf: int) -> Kept:
        """The payload kept of the record at ``leaf``; NotFound where the leaf is not a record's."""
        if self._payloads is None:
            self._payloads = Payloads(self._root, self.history().closed)
        return self._payloads.kept(leaf)

    def find(self, source: str, identity: str) -> list[int]:
        """The leaves of the records with this identity, lowest first; empty where there are none."""
        import numpy as np

        index = complete_in_memory(load_index(self._root, self._files, self.size), self._files, self.size)
        _, leaves = index.lookup(np.array([identity_hash(source, identity)], np.uint64))
        return [leaf for leaf in sorted(leaves.tolist()) if self._is(leaf, source, identity)]

    def repeated(self) -> list[tuple[str, str, list[int]]]:
        """Every identity that was sealed with more than one value: source, identity, its leaves lowest first."""
        index = complete_in_memory(load_index(self._root, self._files, self.size), self._files, self.size)
        found: dict[tuple[str, str], list[int]] = {}
        _, leaves = index.lookup(index.repeated())
        for leaf in sorted(leaves.tolist()):
            entry = self.entry(leaf)
            if isinstance(entry, RecordEntry):
                found.setdefault((entry.source, entry.id), []).append(leaf)
        return [(source, identity, those) for (source, identity), those in found.items() if len(those) > 1]

    def proof(self, leaf: int) -> bytes:
        """The C2SP tlog-proof that the entry at ``leaf`` is in the log of the checkpoint."""
        return format_proof(leaf, inclusion_proof(leaf, self.size, self._files.read), self._note)

    def history(self) -> History:
        """What the log says about itself; read on first use, the value belongs to the reader."""
        if self._history is None:
            try:
                self._history, _ = load_history(self._root, self._files, self.size)
            except (LogError, FileNotFoundError) as error:
                raise StoreError(f"the log is damaged: {error}", advice="`custody verify` says where.") from None
        return self._history

    def acquisitions(self) -> list[Known]:
        """Every file acquired, in order of leaf, with its counts."""
        return list(self.history().files.values())

    def acquired_at(self, leaf: int) -> str:
        """When the file whose acquisition is at ``leaf`` was acquired (RFC 3339)."""
        entry = self.entry(leaf)
        if not isinstance(entry, AcquisitionEntry):
            raise NotFound("not an acquisition", where=f"leaf {leaf}")
        return entry.at

    def files_of(self, leaf: int) -> list[int]:
        """The acquisitions whose records the commit read that the segment entry at ``leaf`` closed."""
        entry = self.entry(leaf)
        return [row[0] for row in entry.files] if isinstance(entry, SegmentEntry) else []

    def segments(self) -> list[Closed]:
        """The commits that sealed records, in order of leaf."""
        return [closed for closed in self.history().closed if closed.file is not None]

    def statements(self, what: str) -> list[Said]:
        """The statements of a kind, in order of leaf."""
        return [said for said in self.history().said if said.entry.what == what]

    def erasures(self) -> Erasures:
        """What was erased, by the statements that say so; made anew at each call."""
        return Erasures(self.history())

    def counts(self) -> Counts:
        """The totals over all files; per file they are in ``acquisitions``."""
        files = self.acquisitions()
        return Counts(
            records=sum(known.records for known in files),
            duplicates=sum(known.duplicates for known in files),
            leaves=sum(closed.end - closed.first for closed in self.segments()),
        )

    def records(self, closed: Closed) -> Iterator[tuple[RecordEntry, Kept]]:
        """The records of one commit with their payloads, in order of leaf. StoreError where the two do not fit."""
        segment = Segment(self._root / str(closed.file), name=str(closed.file), rows=closed.end - closed.first)
        try:
            entries = self._files.entries(closed.first, closed.end, self.size)
            for (leaf, raw), kept in zip(entries, segment, strict=True):
                entry = decode(raw)
                if not isinstance(entry, RecordEntry) or kept.leaf != leaf:
                    raise StoreError("a segment does not fit the log", where=str(closed.file), found=f"leaf {leaf}")
                yield entry, kept
        finally:
            segment.close()

    def raw_entries(self, closed: Closed) -> Iterator[bytes]:
        """The bytes of the record entries of one commit, in order of leaf."""
        return (raw for _, raw in self._files.entries(closed.first, closed.end, self.size))

    def salts(self, closed: Closed) -> Iterator[bytes | None]:
        """The salts of the records of one commit, in order of leaf; None where there is no payload."""
        segment = Segment(self._root / str(closed.file), name=str(closed.file), rows=closed.end - closed.first)
        try:
            for group in range(segment.groups):
                yield from segment.salts(group)
        finally:
            segment.close()

    def manifest(self) -> Manifest | None:
        """The manifest of the derived tables in force, None where there is none, or records were erased since."""
        return None if superseded(self.history()) else read_manifest(self._root)

    def events_files(self) -> list[Path]:
        """The events files of the whole store, in order of leaf; NotFound where one is missing."""
        return parts_files(self._root, self.history(), "events")

    def skips_files(self) -> list[Path]:
        """The skips files of the whole store, in order of leaf; NotFound where one is missing."""
        return parts_files(self._root, self.history(), "skips")

    def _is(self, leaf: int, source: str, identity: str) -> bool:
        entry = self.entry(leaf)
        return isinstance(entry, RecordEntry) and (entry.source, entry.id) == (source, identity)
