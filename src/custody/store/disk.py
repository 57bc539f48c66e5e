"""The seam between the store and the disk: seven operations, each with its promise.

``RealDisk`` is what runs. ``FaultyDisk`` ships beside it so that a test can be a table of every step and every way in
which it fails: *lost* (nothing that was not synced survives), *torn* (half of a write does), *kept* (it was done, and
an error was reported all the same).
"""

import ctypes
import errno
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

from custody.errors import StoreError
from custody.store.layout import TEMPORARY

Data = bytes | memoryview

OWNER = (0o700, 0o600)
"""Modes of folders and files: their owner's alone."""

SHARED = (0o750, 0o640)
"""In a folder with the set-group-id bit (chmod g+s), which somebody gave to a group: the group may read."""


class Disk(Protocol):
    """What the store asks of a disk. Every failure is an OSError."""

    def write(self, path: Path, data: Data) -> None:
        """Make the file hold exactly ``data``, its folders made where absent. Promises nothing about durability."""

    def append(self, path: Path, data: Data) -> None:
        """Add ``data`` to the end of the file, made where absent. Promises nothing, not even all of it."""

    def sync_all(self, root: Path, paths: Sequence[Path]) -> None:
        """When this returns, ``paths`` and every folder from them up to ``root`` are durable."""

    def sync_file(self, path: Path) -> None:
        """When this returns, the file's bytes are durable (its name may not be)."""

    def sync_folder(self, path: Path) -> None:
        """When this returns, the names in the folder are durable."""

    def rename(self, source: Path, target: Path) -> None:
        """Atomically give ``source`` the name ``target``, whose folders are made where absent."""

    def delete(self, path: Path) -> None:
        """Remove the file; absence is success. A folder that this empties may go with it."""


def replace(disk: Disk, path: Path, data: Data) -> None:
    """Durably and atomically make ``path`` hold ``data``: temporary file, sync, rename, sync of the folder."""
    temporary = path.with_name(path.name + TEMPORARY)
    disk.write(temporary, data)
    disk.sync_file(temporary)
    disk.rename(temporary, path)
    disk.sync_folder(path.parent)


def disk_error(error: OSError, *, where: str, doing: str) -> StoreError:
    """The StoreError for a failure of the disk while ``doing`` something."""
    name = errno.errorcode.get(error.errno or 0, "unknown")
    advice = "The store is intact. Run the command again."
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        advice = "The disk is full. The store is intact: make room, then run the command again."
    return StoreError(f"the disk failed while {doing}", where=where, found=f"{name}: {error.strerror}", advice=advice)


def _syncfs() -> Callable[[int], int] | None:
    try:
        function = ctypes.CDLL(None, use_errno=True).syncfs
    except (OSError, AttributeError):
        return None
    function.argtypes, function.restype = [ctypes.c_int], ctypes.c_int

    def call(descriptor: int) -> int:
        return int(function(descriptor))

    return call


class RealDisk:
    """The disk itself. Files are made 0600 in folders 0700: records are nobody else's business."""

    def __init__(self) -> None:
        self._sync_filesystem = _syncfs()

    def write(self, path: Path, data: Data) -> None:
        """Write in place; the folders are tried only when missing."""
        _put(path, data, os.O_TRUNC)

    def append(self, path: Path, data: Data) -> None:
        """Write at the end."""
        _put(path, data, os.O_APPEND)

    def sync_all(self, root: Path, paths: Sequence[Path]) -> None:
        """One ``syncfs`` of the file system, or where that is not to be had an fsync of each file and folder."""
        if self._sync_filesystem is not None:
            descriptor = os.open(root, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if self._sync_filesystem(descriptor) == 0:
                    return
                failed = ctypes.get_errno()
            finally:
                os.close(descriptor)
            if failed not in {errno.ENOSYS, errno.EINVAL, errno.EPERM}:
                raise OSError(failed, os.strerror(failed), str(root))
        folders: set[Path] = set()
        for path in paths:
            self.sync_file(path)
            folders.update(parent for parent in path.parents if parent == root or root in parent.parents)
        for folder in sorted(folders, reverse=True):
            self.sync_folder(folder)

    def sync_file(self, path: Path) -> None:
        """Fsync."""
        _fsync(path, os.O_RDONLY)

    def sync_folder(self, path: Path) -> None:
        """Fsync of the directory."""
        _fsync(path, os.O_RDONLY | os.O_DIRECTORY)

    def rename(self, source: Path, target: Path) -> None:
        """Rename in one step, as POSIX has it."""
        make_folders(target.parent)
        source.rename(target)

    def delete(self, path: Path) -> None:
        """unlink(2), then rmdir(2) of a folder of partial tiles that is left empty."""
        path.unlink(missing_ok=True)
        if path.parent.name.endswith(".p"):
            with suppress(OSError):
                path.parent.rmdir()


def modes(folder: Path) -> tuple[int, int]:
    """The modes of folders and files that are made in ``folder``."""
    return SHARED if folder.stat().st_mode & stat.S_ISGID else OWNER


def make_folders(path: Path) -> None:
    """Make a folder and those above it, readable by their owner alone, or by the group that the one above was given."""
    if not path.is_dir():
        make_folders(path.parent)
        with suppress(FileExistsError):
            path.mkdir(modes(path.parent)[0])


def _put(path: Path, data: Data, how: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | how
    try:
        descriptor = os.open(path, flags, modes(path.parent)[1])
    except FileNotFoundError:
        make_folders(path.parent)
        descriptor = os.open(path, flags, modes(path.parent)[1])
    try:
        view = memoryview(data).cast("B")
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


def _fsync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


Fault = Literal["lost", "torn", "kept"]


class FaultyDisk:
    """A disk whose operation number ``fail_at`` (from 0) fails with ``code``.

    ``dead`` says that the process is gone with it: everything after fails too. Otherwise only this one operation does.
    With ``lost`` and ``dead`` the power went as well: writes, renames and deletes that no sync covered are undone.
    """

    def __init__(self, *, fail_at: int, fault: Fault, code: int = errno.EIO, dead: bool = True) -> None:
        self._disk = RealDisk()
        self._fail_at, self._fault, self._code, self._dead = fail_at, fault, code, dead
        self._undo: list[tuple[Path, bytes | None, bool]] = []
        self.steps: list[str] = []

    @property
    def failed(self) -> bool:
        """Whether the fault has struck."""
        return len(self.steps) > self._fail_at

    def write(self, path: Path, data: Data) -> None:
        """As the real one, remembered until synced."""
        half = memoryview(data).cast("B")[: memoryview(data).nbytes // 2]
        self._step(f"write {path.name}", lambda: self._write(path, data), lambda: self._write(path, half))

    def append(self, path: Path, data: Data) -> None:
        """As the real one, remembered until synced."""
        half = memoryview(data).cast("B")[: memoryview(data).nbytes // 2]
        self._step(f"append {path.name}", lambda: self._append(path, data), lambda: self._append(path, half))

    def sync_all(self, root: Path, paths: Sequence[Path]) -> None:
        """As the real one; nothing before it can be lost any more."""
        self._step("sync all", lambda: self._sync_all(root, paths))

    def sync_file(self, path: Path) -> None:
        """As the real one; the file's bytes can no longer be lost."""
        self._step(f"sync {path.name}", lambda: self._sync_file(path))

    def sync_folder(self, path: Path) -> None:
        """As the real one; the names in it can no longer be lost."""
        self._step(f"sync {path.name}/", lambda: self._sync_folder(path))

    def rename(self, source: Path, target: Path) -> None:
        """As the real one, remembered until its folder is synced."""
        self._step(f"rename {target.name}", lambda: self._rename(source, target))

    def delete(self, path: Path) -> None:
        """As the real one, remembered until its folder is synced."""
        self._step(f"delete {path.name}", lambda: self._delete(path))

    def _step(self, name: str, act: Callable[[], None], torn: Callable[[], None] | None = None) -> None:
        number = len(self.steps)
        if self._dead and self.failed:
            raise OSError(self._code, "the process is gone")
        self.steps.append(name)
        if number != self._fail_at:
            act()
            return
        if self._fault == "kept":
            act()
        elif self._fault == "torn" and torn is not None:
            torn()
        if self._fault == "lost" and self._dead:
            self._lose()
        raise OSError(self._code, os.strerror(self._code))

    def _lose(self) -> None:
        for path, before, _ in reversed(self._undo):
            if before is None:
                path.unlink(missing_ok=True)
            else:
                self._disk.write(path, before)

    def _remember(self, path: Path, *, name: bool) -> None:
        self._undo.append((path, path.read_bytes() if path.is_file() else None, name))

    def _write(self, path: Path, data: Data) -> None:
        self._remember(path, name=False)
        self._disk.write(path, data)

    def _append(self, path: Path, data: Data) -> None:
        self._remember(path, name=False)
        self._disk.append(path, data)

    def _rename(self, source: Path, target: Path) -> None:
        self._remember(target, name=True)
        self._remember(source, name=True)
        self._disk.rename(source, target)

    def _delete(self, path: Path) -> None:
        self._remember(path, name=True)
        self._disk.delete(path)

    def _sync_all(self, root: Path, paths: Sequence[Path]) -> None:
        self._disk.sync_all(root, paths)
        self._undo = [entry for entry in self._undo if root not in entry[0].parents]

    def _sync_file(self, path: Path) -> None:
        self._disk.sync_file(path)
        self._undo = [entry for entry in self._undo if entry[2] or entry[0] != path]

    def _sync_folder(self, path: Path) -> None:
        self._disk.sync_folder(path)
        self._undo = [entry for entry in self._undo if not entry[2] or entry[0].parent != path]
