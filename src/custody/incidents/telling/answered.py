"""What a broker answered when an action was done by it, as lines of the step that says so. Pure.

A lease that the broker itself does not say is over lives on, whatever was asked of it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

OVER = frozenset({"ended", "failed"})
"""The standings of leases that are over; of every other the broker says that it lives, or that it does not know."""
MOST = 200
"""Lines of one step."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A lease as the broker says it stands. Times are RFC 3339."""

    chain: str
    identity: str
    standing: str
    not_after: str
    keys: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        """Whether the broker saw its end."""
        return self.standing in OVER


def line(target: str, lease: Lease) -> str:
    """What became of a lease that a target means."""
    until = "" if lease.over else f", until {lease.not_after} at most"
    return f"{target}: {lease.chain} {lease.standing}{until}"


def lives_on(did: Iterable[str], target: str) -> bool:
    """Whether the lines say of a lease of a target that it is not over."""
    begins = f"{target}: "
    words = (each.removeprefix(begins).split(" ") for each in did if each.startswith(f"{begins}cc-"))
    return any(len(each) > 1 and each[1].rstrip(",") not in OVER for each in words)


def summary(leases: Iterable[Lease]) -> str:
    """How many leases stand how, in one sentence; what lives on by name."""
    every = {each.chain: each for each in leases}
    if not every:
        return "no lease was open"
    over = [each for each in every.values() if each.over]
    told = f"{len(over)} of {len(every)} leases over"
    alive = [f"{each.chain} {each.standing}" for each in every.values() if not each.over]
    more = f" and {len(alive) - 5} more" if len(alive) > 5 else ""
    return f"{told}; not over: {', '.join(alive[:5])}{more}" if alive else told
