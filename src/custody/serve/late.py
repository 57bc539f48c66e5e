"""Evidence that is not open yet: while another broker holds the journal this one stands by, and seals nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from custody.broker.evidence.evidence import Evidence
from custody.errors import EvidenceUnavailable
from custody.model.brokered import Body, Entry


class LateEvidence:
    """``Evidence`` that is given its journal once this broker holds the lock."""

    def __init__(self) -> None:
        self._journal: Evidence | None = None

    def open(self, journal: Evidence) -> None:
        """From here on the journal takes everything."""
        self._journal = journal

    async def append(self, body: Body, *, chain: str | None = None) -> Entry:
        """As the journal does; EvidenceUnavailable before there is one."""
        return await self._opened().append(body, chain=chain)

    def watch(self, observer: Callable[[Entry], None]) -> None:
        """As the journal does."""
        self._opened().watch(observer)

    def entries(self, after: int) -> Iterable[Entry]:
        """As the journal does."""
        return self._opened().entries(after)

    def _opened(self) -> Evidence:
        if self._journal is None:
            raise EvidenceUnavailable(
                "this broker stands by: another one issues", reason="standby", advice="Ask again in a moment."
            )
        return self._journal
