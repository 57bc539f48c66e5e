"""Time and chance, handed in: nothing in the broker reads a clock or draws a number by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32 in lower case."""


_PAIRS = tuple(first + second for first in ALPHABET for second in ALPHABET)
"""Two letters for each ten bits: half as many steps as one letter at a time."""
_PLACES = tuple(range(120, -1, -10))


class Clock(Protocol):
    """The time by the broker's own clock."""

    def now(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z. It may step; callers must not rely on order."""
        ...


Random = Callable[[int], bytes]
"""Gives as many random bytes as it is asked for; the edge hands in ``secrets.token_bytes``."""


def ulid(now: int, random: Random) -> str:
    """A ULID (26 characters): 48 bits of milliseconds of ``now`` (µs), 80 random bits, in lower-case base 32."""
    number = (now // 1000 & (1 << 48) - 1) << 80 | int.from_bytes(random(10))
    return "".join([_PAIRS[number >> place & 1023] for place in _PLACES])


def chain_id(now: int, random: Random) -> str:
    """The id of a new chain: ``cc-`` and a ULID. Also the receipt's name on the credential."""
    return f"cc-{ulid(now, random)}"


def request_id(now: int, random: Random) -> str:
    """The id of a new request: ``rq-`` and a ULID."""
    return f"rq-{ulid(now, random)}"
