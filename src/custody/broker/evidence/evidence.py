"""The one door to the broker's log."""

from __future__ import annotations

from typing import Protocol

from custody.model.brokered import Body, Entry


class Evidence(Protocol):
    """Takes what the broker says. What it returned is durable; what it raised about may or may not be.

    Appends are ordered: of two calls that did not overlap the later has the greater ``seq``.
    """

    async def append(self, body: Body, *, chain: str | None = None) -> Entry:
        """The entry, once it is durable. EvidenceUnavailable: issue nothing, hand over nothing."""
        ...
