"""The commit: the one place where the log grows.

In this order, each step after the one before it:

1. segment, derived files, bundles and tiles are written, none of them under a name that is published yet
2. one sync of them all
3. the checkpoint is signed, and the note is durable as *last signed* beside the key
4. the note becomes the checkpoint: temporary file, sync, rename, sync of the folder
5. partial tiles that have become full are deleted

A failure before 3 leaves nothing but files past the end of the log, which are removed at once or moved aside by the
next writer. From 3 on the next writer finishes the commit. After any failure this writer refuses to go on.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from custody.errors import StoreError
from custody.ledger.checkpoint import Checkpoint
from custody.ledger.tree import Tree
from custody.store.disk import Data, Disk, disk_error, replace
from custody.store.keyring import Keyring
from custody.store.layout import LOG, log_path


class Log:
    """A log as its one writer sees it. ``publish`` is all or nothing, and after a failure nothing more."""

    def __init__(self, disk: Disk, root: Path, keyring: Keyring, origin: str, tree: Tree, log: str = LOG) -> None:
        self._disk, self._root, self._keyring, self._origin, self._tree = disk, root, keyring, origin, tree
        self._log = log
        self._failed = False

    @property
    def size(self) -> int:
        """Leaves committed."""
        return self._tree.size

    @property
    def root(self) -> bytes:
        """The root over them."""
        return self._tree.root()

    @property
    def origin(self) -> str:
        """The origin line of the log."""
        return self._origin

    def publish(self, entries: Sequence[bytes], leaves: bytes, files: Mapping[str, Data]) -> None:
        """Commit ``entries`` with their leaf hashes, and the store files that belong to them by relative path.

        StoreError where the disk fails; the log is then at its old size or, once signed, at the new one.
        """
        self.check()
        self._failed = True
        self._tree.append(entries, leaves)
        tiles = sorted(self._tree.take_files().items(), key=_bundles_first)
        written: dict[str, Data] = {**files, **{log_path(path, self._log): data for path, data in tiles}}
        try:
            self._write(written)
        except OSError as error:
            self._remove(written)
            raise disk_error(error, where=str(self._root), doing="writing a commit") from error
        try:
            self._seal()
        except OSError as error:
            raise disk_error(error, where=str(self._root), doing="publishing a commit") from error
        self._failed = False

    def check(self) -> None:
        """StoreError where a commit failed: what is on disk is then for the next writer to find out."""
        if self._failed:
            raise StoreError("a commit failed before", where=str(self._root), advice="Open the store again.")

    def fail(self) -> None:
        """Refuse from now on."""
        self._failed = True

    def sign_both(self) -> None:
        """Sign the checkpoint anew with this key and the upcoming one, durable beside the keys, then published."""
        self.check()
        note = self._keyring.sign_both(Checkpoint(self._origin, self._tree.size, self._tree.root()).text())
        replace(self._disk, self._root / log_path("checkpoint", self._log), note)

    def _write(self, files: Mapping[str, Data]) -> None:
        for path, data in files.items():
            self._disk.write(self._root / path, data)
        self._disk.sync_all(self._root, [self._root / path for path in files])

    def _remove(self, files: Mapping[str, Data]) -> None:
        """Make room again: nothing here was signed. Failing that, the next writer moves the files aside."""
        for path in files:
            with suppress(OSError):
                self._disk.delete(self._root / path)

    def _seal(self) -> None:
        note = self._keyring.sign(Checkpoint(self._origin, self._tree.size, self._tree.root()).text())
        replace(self._disk, self._root / log_path("checkpoint", self._log), note)
        for path in self._tree.obsolete():
            self._disk.delete(self._root / log_path(path, self._log))


def _bundles_first(item: tuple[str, bytes]) -> tuple[bool, str]:
    """Bundles before tiles: a tile that was cut off can then be told from a foreign one by its entries."""
    return (not item[0].startswith("tile/entries/"), item[0])
