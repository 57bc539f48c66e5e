"""How often somebody may ask: a bucket of tokens for each name, with bounded memory."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

MOST = 10_000
"""Names that are remembered; the one that was quiet longest is forgotten first, and starts with a full bucket."""


class Buckets:
    """Token buckets: ``rate`` a second on average, ``burst`` at once."""

    def __init__(self, rate: float, burst: int, most: int = MOST) -> None:
        self._rate = rate
        self._burst = float(max(burst, 1))
        self._most = most
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, now: float) -> float:
        """Take one token at ``now`` (seconds of a clock that only goes forward).

        0.0 where there was one; else the seconds until there is.
        """
        left, at = self._held.get(name, (self._burst, now))
        left = min(self._burst, left + max(0.0, now - at) * self._rate)
        wait = 0.0 if left >= 1.0 else (1.0 - left) / self._rate if self._rate > 0 else 3600.0
        self._held[name] = (left if wait else left - 1.0, now)
        self._held.move_to_end(name)
        if len(self._held) > self._most:
            self._held.popitem(last=False)
        return wait


def origin_name(address: str | None) -> str:
    """Who counts as one origin: an IPv4 address, or the /64 of an IPv6 address, in which one host can have them all."""
    if address is None or ":" not in address:
        return address or ""
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(found.ipv4_mapped or ipaddress.IPv6Address(int(found) >> 64 << 64))
