"""Tells those who follow incidents from the service: in a thread of its own, which no request ever waits for.

What it does is what ``custody incident tell --follow`` does, under the same lock for each receiver: where both run they
take turns. The thread is bounded in what one receiver may take of it; a receiver that is away is left alone for longer
and longer. Whether effects are seen by now is asked in a process of its own: that reads the derived tables.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from multiprocessing import get_context
from threading import Event, Thread
from types import TracebackType

import msgspec

from custody.errors import CustodyError
from custody.model.incidents import DECISION, STEP
from custody.pipeline import approvals
from custody.pipeline.incidents.telling.catching_up import Patience, Told, file_of, receivers_of, tell, unseen
from custody.serve.parts import Receiving
from custody.settings.catalog import Settings
from custody.store.reader import Reader

EVERY = 5.0
"""Seconds between two looks at the logs; an alert that was pushed is told at once."""
ANYWAY = 60.0
"""Seconds after which receivers are looked at though nothing seems to be new (a secret may have been put in place)."""
EFFECTS = 300.0
"""Seconds between two looks whether the effect of what was told as claimed is seen, and for one look at most."""
GRACE = 2.0
"""Seconds for which a message under way is waited for when the service stops: it is sent again after the start."""

Say = Callable[[str], None]
"""Takes a line for the log of the service."""


class Teller:
    """The thread. ``look`` starts it, and starts it again where it ended; ``stop`` ends it for good."""

    def __init__(self, settings: Settings, say: Say) -> None:
        self._settings, self._say = settings, say
        self._over, self._woken = Event(), Event()
        self._thread: Thread | None = None
        self._known: dict[str, Receiving] = {}
        self._problems: dict[str, str] = {}
        self._news: tuple[int, int] | None = None
        self._told = self._effects = float("-inf")
        self._claimed = 0

    async def look(self) -> None:
        """Have the thread run, where anybody may have to be told."""
        if self._settings.response is not None and not self._over.is_set() and not self.runs:
            self._thread = Thread(target=self._run, daemon=True, name="custody-telling")
            self._thread.start()

    @property
    def runs(self) -> bool:
        """Whether the thread is there."""
        return self._thread is not None and self._thread.is_alive()

    def wake(self) -> None:
        """Something was sealed that is to be told."""
        self._news = None
        self._woken.set()

    async def stop(self) -> None:
        """End it. What it is at is waited for briefly, and is sent again later."""
        self._over.set()
        self._woken.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, GRACE)

    def standings(self) -> tuple[Receiving, ...]:
        """How each receiver is, by name."""
        known = dict(self._known)  # the thread may change it meanwhile
        return tuple(known[name] for name in sorted(known))

    def _run(self) -> None:
        while not self._over.is_set():
            with _Caught(lambda why: self._trouble("telling", why)):
                self.turn()
            self._woken.wait(EVERY)
            self._woken.clear()

    def turn(self) -> None:
        """One look at the logs, and whoever is to be told. CustodyError where they, or the file, cannot be read."""
        names = receivers_of(file_of(self._settings), serving=True)
        for name in set(self._known) - set(names):
            del self._known[name]
        if names and self._is_due():
            patience = Patience(attempts=1, whole=10.0, turn=30.0, heeds=True, over=self._over.is_set)
            self._count(tell(self._settings, patience, unseen, serving=True))
        self._problems.pop("telling", None)
        if self._claimed and time.monotonic() - self._effects > EFFECTS:
            self._effects = time.monotonic()
            self.look_for_effects()

    def _is_due(self) -> bool:
        """Whether a step is new, something waits, or it is long since anybody looked."""
        with Reader.open(self._settings.store) as reader:
            steps = len(reader.statements(STEP))
        news = (steps, len(approvals.everything(self._settings.store).statements(DECISION)))
        fresh, self._news = news != self._news, news
        waits = any(each.behind for each in self._known.values())
        if not fresh and not waits and time.monotonic() - self._told < ANYWAY:
            return False
        self._told = time.monotonic()
        return True

    def _count(self, every: tuple[Told, ...]) -> None:
        for told in every:
            before = self._known.get(told.receiver, Receiving(receiver=told.receiver))
            self._known[told.receiver] = msgspec.structs.replace(
                before,
                told=before.told + len(told.sent),
                failed=before.failed + bool(told.problem),
                behind=told.waiting,
                aside=len(told.aside),
                away=told.away is not None,
            )
            if told.problem:
                self._trouble(told.receiver, told.problem, "" if told.away is None else told.away.why)
            else:
                self._problems.pop(told.receiver, None)
        self._claimed = sum(each.claimed for each in every)

    def _trouble(self, name: str, why: str, same: str = "") -> None:
        """Say it once, until it is another; ``same`` is what stays the same of it."""
        if self._problems.get(name) != (same or why):
            self._problems[name] = same or why
            self._say(f"telling {name}: {why}" if name != "telling" else f"telling: {why}")

    def look_for_effects(self) -> None:
        """Have what was told as claimed told once more where its effect is seen by now: in a process of its own."""
        child = get_context("spawn").Process(target=_tell_effects, args=(self._settings,), daemon=True)
        child.start()
        until = time.monotonic() + EFFECTS
        while child.is_alive() and not self._over.is_set() and time.monotonic() < until:
            child.join(0.2)
        if child.is_alive():
            child.terminate()
            child.join(GRACE)
        self._claimed = 0  # counted anew at the next look
        self._news = None


class _Caught:
    """Has whatever goes wrong said instead of raised; of what nobody foresaw its kind alone, as its words may tell."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def __enter__(self) -> None:
        """Nothing is done before."""

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        """Whether it was something that the next turn may do without."""
        if isinstance(error, Exception):
            known = str(error) if isinstance(error, CustodyError) else f"unforeseen: {type(error).__name__}"
            self._say(str(error.strerror) if isinstance(error, OSError) and error.strerror else known)
        return isinstance(error, Exception)


def _tell_effects(settings: Settings) -> None:
    """In the process of its own: what reads the derived tables is loaded nowhere else."""
    from custody.pipeline.incidents.telling.showing_effects import tell_effects

    tell_effects(settings)
