"""The one door to the broker's log."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from custody.model.brokered import Body, Entry


class Evidence(Protocol):
    """Takes what the broker says. What it returned is durable; what it raised about may or may not be.

    Appends are ordered: of two calls that did not overlap the later has the greater ``seq``. Observers are told of
    every durable entry, in order of ``seq``, in the event loop's thread and before ``append`` returns it; also of an
    entry whose caller was cancelled meanwhile.
    """

    async def append(self, body: Body, *, chain: str | None = None) -> Entry:
        """The entry, once it is durable. EvidenceUnavailable: issue nothing, hand over nothing."""
        ...

    def watch(self, observer: Callable[[Entry], None]) -> None:
        """Tell ``observer`` of every entry from now on."""
        ...

    def entries(self, after: int) -> Iterable[Entry]:
        """The entries with a ``seq`` greater than ``after`` that are still at hand, in order."""
        ...
