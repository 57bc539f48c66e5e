"""Tokens that count once: a bounded memory of those that were used, until they expire."""

from __future__ import annotations

import heapq

from custody.broker.proof.held import SECOND
from custody.broker.proof.refusals import refused
from custody.broker.proof.verifying import LEEWAY

CAPACITY = 100_000
"""Tokens remembered at most. When it is full of tokens that have not expired, no other is taken: none is forgotten."""


class Replays:
    """Remembers names of tokens: the credential key, or the SHA-256 of what the signature is over."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._until: dict[str, float] = {}
        self._order: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._until)

    def take(self, name: str, expires: float, now: int) -> None:
        """Note the use of a token that ``expires`` (s) at ``now`` (µs). IdentityRefused ``replayed`` for a second one.

        The memory is of this process: after a restart, ``take`` what the log says was used.
        """
        moment = now / SECOND
        while self._order and self._order[0][0] + LEEWAY <= moment:
            self._until.pop(heapq.heappop(self._order)[1], None)
        if name in self._until:
            raise refused("replayed")
        if len(self._until) >= self._capacity:
            raise refused("replayed", expected="room to remember it")
        self._until[name] = expires
        heapq.heappush(self._order, (expires, name))
