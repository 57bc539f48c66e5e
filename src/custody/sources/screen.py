"""A quick screen over many records at once: the one place in this room that asks pyarrow to search bytes.

RE2 runs a whole alternation in one pass at about 1.5 ns a byte, which is what two plain searches cost in Python.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

_MOST = 64 * 1024 * 1024
"""Bytes of a batch that are remembered, at most: a screen holds on to what passed it."""


class Screen:
    """What many records are sieved by in one pass, so that those without any secret are not searched one by one.

    It remembers which records of the latest batch hold no match. A batch of less than ``least`` bytes is let be: to
    compile the pattern takes longer than to search so few.
    """

    def __init__(self, pattern: str, least: int) -> None:
        self._pattern = pattern
        self._least = least
        self._passed: frozenset[bytes] = frozenset()

    def look(self, raws: Sequence[bytes]) -> None:
        """Sieve a batch; what was remembered of the one before is forgotten."""
        self._passed = frozenset()
        if sum(map(len, raws)) >= self._least:
            some = raws[: bisect_right(list(accumulate(map(len, raws))), _MOST)]
            stopped = matches(some, self._pattern)
            self._passed = frozenset(raw for raw, stop in zip(some, stopped, strict=True) if not stop)

    def passed(self, raw: bytes) -> bool:
        """Whether exactly these bytes are known to hold no match."""
        return raw in self._passed


def matches(raws: Sequence[bytes], pattern: str) -> list[bool]:
    """Whether ``pattern`` (RE2 syntax, bytes, no look-around) occurs in each of ``raws``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = pa.array(raws, pa.large_binary())
    found: list[bool] = pc.match_substring_regex(column, pattern).to_pylist()
    return found


def counts(raws: Sequence[bytes], pattern: str) -> list[int]:
    """How often ``pattern`` occurs in each of ``raws``, matches not overlapping."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = pa.array(raws, pa.large_binary())
    found: list[int] = pc.count_substring_regex(column, pattern).to_pylist()
    return found
