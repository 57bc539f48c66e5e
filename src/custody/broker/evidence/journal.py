"""The journal: what a broker says, durable before it acts. See docs/broker-log.md.

``append`` gives an entry its number, hash and time at once and returns it when its line is on the disk. One thread
writes (``writing``); lines go into epochs, files that are closed about each second and then sealed by another process
(``pipeline.brokering``). A disk that failed once is not trusted again: every later append is refused until the journal
has been opened anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Sequence as Listed
from pathlib import Path
from types import TracebackType
from typing import Self

from custody.broker.clock import Clock
from custody.broker.evidence.appending import AppendingDisk
from custody.broker.evidence.epochs import Epoch, entries_of
from custody.broker.evidence.recovery import Torn, recover
from custody.broker.evidence.sequence import Sequence
from custody.broker.evidence.standby import hold_journal
from custody.broker.evidence.writing import Rolling, Said, Writing
from custody.errors import EvidenceUnavailable, StoreError
from custody.model.brokered import Body, Entry
from custody.store.disk import Disk, disk_error
from custody.store.lock import Lock

Earlier = Callable[[int], Iterable[Entry]]
"""The sealed entries with a greater ``seq``, in order: what the journal itself has forgotten."""


class Journal:
    """The open journal of one broker: ``Evidence``. A context manager; its lock is held until ``close``.

    One event loop uses it at a time. ``torn`` says what opening it had to cut off.
    """

    def __init__(
        self, disk: Disk, folder: Path, lock: Lock, *, broker: str, clock: Clock, known: int, earlier: Earlier | None
    ) -> None:
        self._disk, self._folder, self._lock, self._earlier = disk, folder, lock, earlier
        self._observers: list[Callable[[Entry], None]] = []
        self._closed = self._unfollowed = False
        found = recover(disk, folder, broker, known)
        self.torn: tuple[Torn, ...] = found.torn
        self._sequence = Sequence(broker, clock, seq=found.tip.seq, prev=str(found.tip.prev))
        self._writing = Writing(disk, folder, found.epochs, found.tip.seq, self._told)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        broker: str,
        clock: Clock,
        disk: Disk | None = None,
        lock: Lock | None = None,
        known: int = 0,
        earlier: Earlier | None = None,
    ) -> Journal:
        """Open the journal in ``folder``, or begin one.

        ``lock`` is the one that ``standby.wait_for_lock`` gave; without it the journal is locked here. ``known`` is the
        highest ``seq`` that others hold (the sealed log, the tables): a journal that ends before it was set back.
        ``earlier`` reads what was forgotten. StoreLocked where another broker has it; StoreError where a line is
        damaged or missing, or the disk fails: nothing is issued then.
        """
        held = lock or hold_journal(folder)
        try:
            return cls(disk or AppendingDisk(), folder, held, broker=broker, clock=clock, known=known, earlier=earlier)
        except OSError as error:
            held.release()
            raise disk_error(error, where=str(folder), doing="opening the journal") from error
        except BaseException:
            held.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Make durable what waits, end the thread and let go of the lock; again is harmless."""
        if not self._closed:
            self._closed = True
            self._writing.end()
            if isinstance(self._disk, AppendingDisk):
                self._disk.close()
            self._lock.release()

    @property
    def seq(self) -> int:
        """The last durable entry."""
        return self._writing.through

    async def append(self, body: Body, *, chain: str | None = None) -> Entry:
        """The entry, once it is durable. EvidenceUnavailable: issue nothing, hand over nothing."""
        self._check()
        entry, line = self._sequence.next(body, chain)
        future: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
        self._writing.put(Said(entry, line, future))
        return await future

    def watch(self, observer: Callable[[Entry], None]) -> None:
        """Tell ``observer`` of every entry from now on. One that raises ends the journal: nobody follows it then."""
        self._observers.append(observer)

    def entries(self, after: int) -> Iterator[Entry]:
        """The durable entries with a ``seq`` greater than ``after``, in order; what was forgotten from the sealed log.

        StoreError where they are not all to be had, or cannot be read.
        """
        through, closed = self.seq, self.closed()
        first = closed[0].first if closed else 1
        if after + 1 < first:
            yield from self._forgotten(after, first - 1)
        paths = [each.path for each in closed if each.last > after]
        current = self._folder / f"{closed[-1].last + 1 if closed else 1:012d}.ndjson"
        for path in (*paths, *([current] if current.exists() else [])):
            yield from entries_of(path, after, through)

    async def roll(self) -> Epoch | None:
        """Close the current epoch and give it; None where it has no line, or the disk failed."""
        if self._closed:
            return None
        future: asyncio.Future[Epoch | None] = asyncio.get_running_loop().create_future()
        self._writing.put(Rolling(future))
        return await future

    def closed(self) -> tuple[Epoch, ...]:
        """The closed epochs that are still there, oldest first."""
        return tuple(self._writing.closed)

    async def forget(self, sealed: int) -> int:
        """Delete the epochs whose every ``seq`` is ``sealed`` or less, and give how many.

        The caller vouches that these are sealed and that the tables have them. The newest closed epoch always stays: it
        says where the chain goes on. StoreError where the disk fails; what is left is deleted another time.
        """
        going = [each for each in self.closed()[:-1] if each.last <= sealed]
        await asyncio.to_thread(self._delete, going)
        return len(going)

    def _delete(self, going: Listed[Epoch]) -> None:
        """Oldest first, each durably: a crash in between must not leave a gap."""
        try:
            for each in going:
                self._disk.delete(each.path)
                self._disk.sync_folder(self._folder)
                self._writing.closed.remove(each)
        except OSError as error:
            raise disk_error(error, where=str(self._folder), doing="deleting sealed epochs") from error

    def _forgotten(self, after: int, through: int) -> Iterator[Entry]:
        """From the sealed log, and only where it reaches without a gap to what the journal still has."""
        seq = after
        for entry in self._earlier(after) if self._earlier is not None else ():
            if entry.seq == seq + 1 <= through:
                seq = entry.seq
                yield entry
        if seq != through:
            raise StoreError(
                "entries that the journal has forgotten are not to be had",
                where=str(self._folder),
                found=f"up to seq {seq}",
                expected=f"up to seq {through}",
                advice="Bring back the tables, or the store that they were sealed in.",
            )

    def _check(self) -> None:
        if self._closed:
            raise EvidenceUnavailable("the journal is closed", reason="journal-closed")
        if self._unfollowed:
            raise EvidenceUnavailable("what follows the journal failed", reason="journal-unfollowed")
        if self._writing.failed:
            raise self._writing.refusal()

    def _told(self, group: Listed[Said], error: EvidenceUnavailable | None) -> None:
        """In the loop: a group is durable, or it failed."""
        for said in group:
            if said.future.done():
                continue
            if error is None:
                said.future.set_result(said.entry)
            else:
                said.future.set_exception(EvidenceUnavailable(error.message, reason=error.reason, found=error.found))
        if error is None:
            self._observe(group)

    def _observe(self, group: Listed[Said]) -> None:
        before, self._unfollowed = self._unfollowed, True
        for said in group:
            for observer in self._observers:
                observer(said.entry)
        self._unfollowed = before
