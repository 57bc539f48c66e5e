"""A disk that keeps open the file to which it adds, so that a group of lines costs one write and one sync."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from custody.store.disk import Data, RealDisk, make_folders, modes

FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class AppendingDisk(RealDisk):
    """The disk itself, for one file that grows at a time.

    The descriptor that wrote is the one that syncs: what the kernel could not write back since it was opened is
    reported to it for certain.
    """

    def __init__(self) -> None:
        super().__init__()
        self._open: tuple[Path, int] | None = None

    def append(self, path: Path, data: Data) -> None:
        """Write at the end; the file stays open until another one is added to."""
        descriptor = self._descriptor(path)
        view = memoryview(data).cast("B")
        while view:
            view = view[os.write(descriptor, view) :]

    def sync_file(self, path: Path) -> None:
        """fdatasync(2) of the open file, which also makes its length durable; fsync(2) of any other."""
        if self._open is None or self._open[0] != path:
            super().sync_file(path)
        else:
            os.fdatasync(self._open[1])

    def close(self) -> None:
        """Let go of the open file; again is harmless."""
        opened, self._open = self._open, None
        if opened is not None:
            with suppress(OSError):  # what had to be durable was synced
                os.close(opened[1])

    def _descriptor(self, path: Path) -> int:
        if self._open is not None and self._open[0] == path:
            return self._open[1]
        self.close()
        make_folders(path.parent)
        descriptor = os.open(path, FLAGS, modes(path.parent)[1])
        self._open = (path, descriptor)
        return descriptor
