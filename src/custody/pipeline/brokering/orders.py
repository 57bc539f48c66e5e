"""What waits to be sealed, what the sealing process is to do next, and who is told when it has answered.

No process and no clock of its own: ``now`` gives seconds that only grow. One event loop uses it.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

import msgspec

from custody.broker.evidence.epochs import Epoch
from custody.errors import CustodyError, SourceError, StoreError
from custody.pipeline.brokering.child import Derive, Derived, Order, Reply, Seal, Sealed
from custody.pipeline.brokering.sealing import Pushed, Taken

IDLE = 5.0
"""Seconds without anything new after which the tables are brought up to date."""
PACE = 4.0
"""Deriving when idle waits this many times as long as it took the last time."""
MOST_EPOCHS, MOST_FILES = 256, 64
"""In one order."""
TRIES = 2
"""How often a pushed file is given to a child that ends over it."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How the sealing stands. Times are in seconds.

    ``through``: the last ``seq`` that was seen to be sealed since the start. ``waiting``: epochs that are not. ``lag``:
    how long the oldest of these has waited. ``error``: why the last try failed, None where it did not. ``restarts`` of
    the child. ``derived``: how long ago the tables were last to be brought up to date, None: not yet; ``derive_error``:
    why they were not.
    """

    through: int
    waiting: int
    lag: float
    error: str | None
    restarts: int
    derived: float | None
    derive_error: str | None


class File:
    """A pushed file on its way, and who waits for it."""

    def __init__(self, pushed: Pushed, future: Future[Taken]) -> None:
        self.pushed, self.future, self.tries = pushed, future, 0


class Orders:
    """The state. ``derive_every``: seconds between two derivations while there is something new; 0: only when asked."""

    def __init__(self, now: Callable[[], float], derive_every: float) -> None:
        self._now, self._derive_every = now, derive_every
        self._epochs: dict[int, tuple[Epoch, float]] = {}
        self._files: list[File] = []
        self._under_way: list[File] = []
        self._asked: list[Future[str]] = []
        self._awaited: list[tuple[int, Future[None]]] = []
        self._through = self._restarts = 0
        self._error: str | None = None
        self._derive_error: str | None = None
        self._dirty = True
        self._quiet = now()
        self._derived: tuple[float, float] = (self._quiet, 0.0)
        self._ever = False

    def offer(self, epochs: Iterable[Epoch]) -> None:
        """Add closed epochs, in order; those that it has or had are passed over."""
        now = self._now()
        for epoch in epochs:
            if epoch.last > self._through and epoch.first not in self._epochs:
                self._epochs[epoch.first] = (epoch, now)

    def push(self, pushed: Pushed, future: Future[Taken]) -> None:
        """Add a file; ``future`` is told what became of it."""
        self._files.append(File(pushed, future))

    def ask(self, future: Future[str]) -> None:
        """Bring the tables up to date next."""
        self._asked.append(future)

    def wait(self, seq: int, future: Future[None]) -> None:
        """``future`` is told when every line up to ``seq`` is in the log."""
        if seq <= self._through:
            future.set_result(None)
        else:
            self._awaited.append((seq, future))

    def next(self, *, stopping: bool) -> Order | None:
        """What to do now, None for nothing. A derivation that is due goes first: constant work would starve it."""
        if self._asked or (not stopping and self.until_derive() == 0.0):
            return Derive()
        self._files = [each for each in self._files if not each.future.done()]
        if not self._epochs and not self._files:
            return None
        self._under_way = self._files[:MOST_FILES]
        firsts = islice(sorted(self._epochs), MOST_EPOCHS)
        return Seal(tuple(self._epochs[first][0] for first in firsts), tuple(each.pushed for each in self._under_way))

    def until_derive(self) -> float | None:
        """Seconds until the tables are to be brought up to date; None where nothing asks for it."""
        if not self._dirty or not self._derive_every:
            return None
        ended, took = self._derived
        due = ended + self._derive_every
        if not self._epochs and not self._files and self._derive_error is None:
            due = min(due, max(self._quiet + IDLE, ended + PACE * took))
        return max(0.0, due - self._now())

    def answered(self, order: Order, reply: Reply) -> bool:
        """Take the answer to an order, and tell who waits. Whether it was done."""
        if isinstance(order, Derive):
            self._derive_answered(reply)
        elif isinstance(reply, Sealed):
            self._sealed(order, reply)
        elif isinstance(reply, CustodyError):
            self._error = str(reply)
            self._refuse(self._under_way, reply)
        return not isinstance(reply, CustodyError)

    def died(self, order: Order) -> None:
        """The child ended over an order. It is given again; a file over which that happens twice is not."""
        self._restarts += 1
        ended = StoreError("the sealing process ended without a word", advice="It is started again.")
        if isinstance(order, Derive):
            self._derive_answered(ended)
            return
        self._error = str(ended)
        for file in self._under_way:
            file.tries += 1
        bad = [file for file in self._under_way if file.tries >= TRIES]
        self._refuse(bad, SourceError("the sealing process ended over what was pushed"))

    def let_go(self) -> None:
        """Tell everybody who waits that it will not be done any more."""
        error = StoreError("the broker stopped before this was done", advice="Send it again.")
        self._refuse(self._files, error)
        for asked in self._asked:
            _fail(asked, error)
        for _, future in self._awaited:
            _fail(future, error)

    def health(self) -> Health:
        """How it stands."""
        now = self._now()
        oldest = min((since for _, since in self._epochs.values()), default=now)
        return Health(
            through=self._through,
            waiting=len(self._epochs),
            lag=now - oldest,
            error=self._error,
            restarts=self._restarts,
            derived=now - self._derived[0] if self._ever else None,
            derive_error=self._derive_error,
        )

    def _sealed(self, order: Seal, reply: Sealed) -> None:
        self._error, self._dirty, self._quiet = None, True, self._now()
        for epoch in order.epochs:
            del self._epochs[epoch.first]
            self._through = max(self._through, epoch.last)
        for file, answer in zip(self._under_way, reply.answers, strict=True):
            if isinstance(answer, CustodyError):
                _fail(file.future, answer)
            elif not file.future.done():
                file.future.set_result(answer)
        self._files = self._files[len(self._under_way) :]
        self._under_way = []
        for seq, future in self._awaited:
            if seq <= self._through and not future.done():
                future.set_result(None)
        self._awaited = [each for each in self._awaited if not each[1].done()]

    def _derive_answered(self, reply: Reply) -> None:
        failed = reply if isinstance(reply, CustodyError) else None
        took = reply.seconds if isinstance(reply, Derived) else self._derived[1]
        self._derived, self._ever = (self._now(), took), True
        self._derive_error = None if failed is None else str(failed)
        self._dirty = failed is not None
        asked, self._asked = self._asked, []
        for future in asked:
            if failed is not None:
                _fail(future, failed)
            elif isinstance(reply, Derived) and not future.done():
                future.set_result(reply.done)

    def _refuse(self, files: Sequence[File], error: CustodyError) -> None:
        for file in files:
            _fail(file.future, error)
        gone = set(files)
        self._files = [each for each in self._files if each not in gone]
        self._under_way = []


def _fail(future: Future[Taken] | Future[str] | Future[None], error: CustodyError) -> None:
    if not future.done():
        future.set_exception(error)
