"""Which backends did what they were asked: the last outcome of the calls that were really made, and of no others.

Nothing is called to find out. A record in memory, of this process alone: after a start nothing is known until a call is
made that shows it (where the server is asked for it, the first is the search for orphans, at the start and every five
minutes).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import msgspec

from custody.broker.backends.backend import Backend
from custody.errors import BrokerError
from custody.model.broker_terms import Ending

UNFORESEEN = "unforeseen"
"""The reason of a failure that no backend meant."""

ALWAYS_ASKS = "issue"
"""The one step that no backend does without its server."""

NOT_COUNTED = "probe"
"""A step that asks with the credential itself: that it is refused says nothing of the backend."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a backend. Times in µs, None where there was no such call.

    ``step``, ``reason`` and ``failures`` are of the failure at ``failed``, which no success followed: what was called
    (``issue``, ``end``, ``look``, ``orphans``), the stable word of the error, how many failed in a row. Without such a
    failure they are empty.
    """

    backend: str
    answered: int | None = None
    failed: int | None = None
    step: str = ""
    reason: str = ""
    failures: int = 0


class Reachable:
    """Remembers one outcome a backend. For the event loop alone."""

    def __init__(self) -> None:
        self._known: dict[str, Outcome] = {}

    def of(self, backend: str) -> Outcome:
        """What is known of the backend of this name."""
        return self._known.get(backend) or Outcome(backend=backend)

    def watching(self, backend: Backend, step: str, now: Callable[[], int]) -> AbstractContextManager[None]:
        """Remember how the call within went, at the time (µs) when it ends. One that is cancelled has no outcome."""
        return _Watching(self, backend, step, now)

    def did(self, backend: Backend, step: str, now: int) -> None:
        """A call came back as it should.

        A backend whose credentials nothing but time ends may look, and search, without asking its server: there only
        issuing shows that it does what it is asked, or the step that failed before.
        """
        known = self._known.get(backend.name)
        failing = known.step if known is not None else ""
        if step == NOT_COUNTED or (backend.ends is Ending.EXPIRY and step not in (ALWAYS_ASKS, failing)):
            return
        self._known[backend.name] = Outcome(backend=backend.name, answered=now)

    def failed(self, backend: Backend, step: str, now: int, error: Exception) -> None:
        """A call failed."""
        if step == NOT_COUNTED:
            return
        known = self.of(backend.name)
        reason = error.reason if isinstance(error, BrokerError) else UNFORESEEN
        self._known[backend.name] = msgspec.structs.replace(
            known, failed=now, step=step, reason=reason, failures=known.failures + 1
        )


class _Watching(AbstractContextManager[None]):
    """One call."""

    def __init__(self, kept: Reachable, backend: Backend, step: str, now: Callable[[], int]) -> None:
        self._kept, self._backend, self._step, self._now = kept, backend, step, now

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None:
            self._kept.did(self._backend, self._step, self._now())
        elif isinstance(error, Exception):
            self._kept.failed(self._backend, self._step, self._now(), error)
