"""The thread that makes lines durable: it takes what waits, writes it in one piece, syncs once, and tells the loop.

While a group is synced the next one gathers, so under load one sync serves many callers and nobody is woken for one
line. There is no other wait: a lone line is synced at once.
"""

from __future__ import annotations

import threading
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

from custody.broker.evidence.epochs import Epoch, epoch_path
from custody.errors import EvidenceUnavailable
from custody.model.brokered import Entry
from custody.store.disk import Disk, disk_error

LARGE = 32 << 20
"""Bytes after which an epoch is closed without being asked: recovery and sealing hold a file whole."""


class Said:
    """A line on its way to the disk, and who waits for it."""

    __slots__ = ("entry", "future", "line")

    def __init__(self, entry: Entry, line: bytes, future: Future[Entry]) -> None:
        self.entry, self.line, self.future = entry, line, future


class Rolling:
    """Somebody asks for the current epoch to be closed."""

    __slots__ = ("future",)

    def __init__(self, future: Future[Epoch | None]) -> None:
        self.future = future


Item = Said | Rolling | None
"""What goes to the thread; None ends it."""
Told = Callable[[Sequence[Said], EvidenceUnavailable | None], None]
"""Called in the loop with a group: durable, or why not."""


class Writing:
    """Owns the current file of the journal from construction to ``end``.

    ``closed`` are the epochs that are closed, the oldest first; ``through`` the last durable ``seq``.
    """

    def __init__(self, disk: Disk, folder: Path, closed: Sequence[Epoch], through: int, told: Told) -> None:
        self._disk, self._folder, self._told = disk, folder, told
        self._queue: SimpleQueue[Item] = SimpleQueue()
        self._failed: OSError | None = None
        self._first, self._size = through + 1, 0
        self.through = through
        self.closed: list[Epoch] = list(closed)
        self._thread = threading.Thread(target=self._run, name="custody-journal", daemon=True)
        self._thread.start()

    def put(self, item: Said | Rolling) -> None:
        """Hand something to the thread, in order."""
        self._queue.put(item)

    def end(self) -> None:
        """Write what waits and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def refusal(self) -> EvidenceUnavailable:
        """Why nothing more can be written, made anew for each who is told."""
        assert self._failed is not None
        error = disk_error(self._failed, where=str(self._folder), doing="writing the journal")
        return EvidenceUnavailable(
            error.message,
            reason="journal-failed",
            where=error.where,
            found=error.found,
            advice="Nothing is issued until the broker has opened its journal again; make sure of the disk first.",
        )

    @property
    def failed(self) -> bool:
        """Whether the disk failed: it is not used again."""
        return self._failed is not None

    def _run(self) -> None:
        while True:
            items = [self._queue.get(), *(self._queue.get_nowait() for _ in range(self._queue.qsize()))]
            group: list[Said] = []
            for item in items:
                if isinstance(item, Said):
                    group.append(item)
                    continue
                self._take(group)
                group = []
                if item is None:
                    return
                self._roll(item)
            self._take(group)

    def _take(self, group: Sequence[Said]) -> None:
        if not group:
            return
        if self._failed is None:
            try:
                self._write(b"".join([each.line for each in group]))
                self.through = group[-1].entry.seq
                if self._size >= LARGE:
                    self._close()
            except OSError as error:
                self._failed = error
        loops: dict[AbstractEventLoop, list[Said]] = {}
        for each in group:
            loops.setdefault(each.future.get_loop(), []).append(each)
        for loop, some in loops.items():
            with suppress(RuntimeError):  # that loop is closed: nobody waits there
                loop.call_soon_threadsafe(self._told, some, None if self._failed is None else self.refusal())

    def _write(self, data: bytes) -> None:
        path = epoch_path(self._folder, self._first)
        self._disk.append(path, data)
        self._disk.sync_file(path)
        if not self._size:
            self._disk.sync_folder(self._folder)
        self._size += len(data)

    def _roll(self, asked: Rolling) -> None:
        epoch = self._close() if self._size and self._failed is None else None
        with suppress(RuntimeError):
            asked.future.get_loop().call_soon_threadsafe(_answer, asked.future, epoch)

    def _close(self) -> Epoch:
        epoch = Epoch(self._first, self.through, self._size, epoch_path(self._folder, self._first))
        self.closed.append(epoch)
        self._first, self._size = self.through + 1, 0
        return epoch


def _answer(future: Future[Epoch | None], epoch: Epoch | None) -> None:
    if not future.done():
        future.set_result(epoch)
