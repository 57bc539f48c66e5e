"""The log of approvals: a second log in the store, with a key of its own, written by another process.

What people approve is theirs to say; what was read is custody's. Whoever can write the one must not be able to write
the other: ``STORE/logs/approvals`` belongs to the account that approves, its key lies in that account's key folder, and
the operations log is not written here. Each log holds the other's checkpoint: a statement here names the size and root
of the operations log that its author saw, and the operations log seals the checkpoint of this one
(``approvals-checkpoint``).

The log has statements only. Its entries are few: they are read whole.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from custody.errors import LogError, StoreError
from custody.ledger.checkpoint import Checkpoint, parse
from custody.ledger.entry import StatementEntry, decode, statement_entry
from custody.ledger.note import Verifier, encode64, open_note
from custody.store import recovery
from custody.store.chunks import compose_other
from custody.store.commit import Log
from custody.store.disk import Disk, RealDisk, disk_error, make_folders, replace
from custody.store.history import Said
from custody.store.keyring import SEED, Keyring, create_keys, open_keys
from custody.store.layout import APPROVALS, APPROVALS_LOCK, APPROVALS_VKEY, log_path, origin_of
from custody.store.lock import Lock
from custody.store.logfiles import LogFiles, open_checkpoint
from custody.store.rotation import keys_of
from custody.store.storefile import StoreFile, read_store_file

NAME = "approvals"


class Separation(msgspec.Struct, frozen=True):
    """Whether the two logs are kept apart by the system: ``enforced``, and why not where not."""

    enforced: bool
    why: str


class ApprovalsWriter:
    """The one writer of the log of approvals. A context manager: its lock is held until ``close``."""

    def __init__(self, disk: Disk, root: Path, keys: Path) -> None:
        self._disk, self._root = disk, root
        self.store: StoreFile = read_store_file(root)
        try:
            make_folders(root / APPROVALS)
            self._lock = Lock(root / APPROVALS_LOCK)
        except OSError as error:
            raise disk_error(error, where=str(root / APPROVALS), doing="opening the log of approvals") from error
        try:
            self._open(keys)
        except OSError as error:
            self._lock.release()
            raise disk_error(error, where=str(root / APPROVALS), doing="opening the log of approvals") from error
        except BaseException:
            self._lock.release()
            raise

    @classmethod
    def open(cls, root: Path, keys: Path, disk: Disk | None = None) -> ApprovalsWriter:
        """Open the log of approvals of the store at ``root``, or make it; ``keys`` is the approver's key folder.

        Raises StoreLocked, StoreForked, and StoreError where there is no store, or the disk or the keys refuse.
        """
        return cls(disk or RealDisk(), root, keys)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the lock."""
        self._lock.release()

    @property
    def size(self) -> int:
        """Leaves committed."""
        return self._log.size

    def seal(self, what: str, fields: Mapping[str, object]) -> int:
        """Seal a statement and return its leaf. It names the checkpoint of the operations log that was seen."""
        seen = _seen(self._root, self.store)
        entry = statement_entry(what, {**fields, "operations": [seen.size, encode64(seen.root)]})
        decode(entry)
        leaf = self.size
        change = compose_other([entry], leaf)
        self._log.publish(change.entries, change.leaves, {})
        return leaf

    def _open(self, keys: Path) -> None:
        recovery.clear_log(self._disk, self._root, APPROVALS)
        origin = origin_of(self.store.store, APPROVALS)
        self._keyring = self._keys(keys, origin)
        files = LogFiles(self._root, APPROVALS)
        tree, _ = recovery.settle(self._disk, self._root, files, self._keyring, origin)
        self._log = Log(self._disk, self._root, self._keyring, origin, tree, APPROVALS)
        for path in sorted(recovery.tiles_past(self._root, tree.size, APPROVALS)):
            self._disk.delete(path)  # of a commit that was never signed, and of one statement: there is nothing to keep

    def _keys(self, keys: Path, origin: str) -> Keyring:
        named = self._root / APPROVALS_VKEY
        if named.exists() or (self._root / log_path("checkpoint", APPROVALS)).exists():
            vkey = named.read_text(encoding="ascii").strip() if named.exists() else ""
            return open_keys(self._disk, keys, _folder(self.store), origin, vkey=vkey)
        keyring = create_keys(self._disk, keys, _folder(self.store), origin, root=self._root)
        replace(self._disk, named, f"{keyring.vkey}\n".encode())
        return keyring


class Approvals(msgspec.Struct, frozen=True, kw_only=True):
    """The log of approvals as it can be read: its key as it says itself, its checkpoint, its statements in order."""

    vkey: str
    note: bytes
    checkpoint: Checkpoint
    said: tuple[Said, ...]


def read(root: Path) -> Approvals | None:
    """The log of approvals of a store, None where there is none.

    StoreError where the note does not hold under the key that stands beside it. Whether that key is the right one, and
    every tile, is for ``verify``.
    """
    store = read_store_file(root)
    files = LogFiles(root, APPROVALS)
    note = files.checkpoint_note()
    if note is None:
        return None
    vkey = stored_vkey(root)
    if vkey is None:
        raise StoreError("the key of the log of approvals is missing", where=str(root / APPROVALS_VKEY))
    origin = origin_of(store.store, APPROVALS)
    point = open_checkpoint(note, vkey=vkey, origin=origin, where=str(root / log_path("checkpoint", APPROVALS)))
    said = []
    for leaf, raw in files.entries(0, point.size, point.size):
        entry = decode(raw)
        if isinstance(entry, StatementEntry):
            said.append(Said(leaf, entry))
    return Approvals(vkey=vkey, note=note, checkpoint=point, said=tuple(said))


def stored_vkey(root: Path) -> str | None:
    """The key that the log of approvals says it has, None where there is no such file."""
    try:
        return (root / APPROVALS_VKEY).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None


def separation(keys: Path, approval_keys: Path, store: StoreFile) -> Separation:
    """Whether this account is kept from one of the two keys.

    Only what this process can read itself is known: another account may still read both.
    """
    readable = [_readable(keys / store.store / SEED), _readable(approval_keys / _folder(store) / SEED)]
    if all(readable):
        return Separation(False, "this account can read the keys of both logs: the separation is not enforced")
    if os.geteuid() == 0:
        return Separation(False, "this account is the superuser's: nothing is kept from it")
    return Separation(True, "this account can read the key of one log at most")


def _folder(store: StoreFile) -> str:
    return f"{store.store}-{NAME}"


def _readable(path: Path) -> bool:
    return os.access(path, os.R_OK)


def _seen(root: Path, store: StoreFile) -> Checkpoint:
    """The checkpoint of the operations log, as anybody can read it."""
    note = LogFiles(root).checkpoint_note()
    if note is None:
        raise StoreError("the operations log has no checkpoint", where=str(root))
    try:
        return parse(open_note(note, [Verifier.parse(keys_of(root, store)[-1])]).text)
    except LogError as error:
        raise StoreError(f"the checkpoint of the operations log does not hold: {error}", where=str(root)) from None
