"""Every invented value, drawn from a seed: the same names give the same values, on every machine and version of Python.

A stream is SHA-512 in counter mode over its names. A stream forked by a name owes nothing to what other streams drew,
so that a fault that is planted changes nothing else.
"""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
BASE62 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
LOWER = "bcdfghjklmnpqrstvwxz2456789"
"""The letters that Kubernetes puts behind the names of pods."""
SECOND = 1_000_000


class Chance:
    """One stream of invented values. None of them opens anything."""

    def __init__(self, *names: object) -> None:
        self._names = "/".join(str(name) for name in names)
        self._count = 0
        self._left = b""

    def fork(self, *names: object) -> "Chance":
        """The stream of these names under this one."""
        return Chance(self._names, *names)

    def bytes(self, count: int) -> bytes:
        """So many bytes."""
        while len(self._left) < count:
            self._left += hashlib.sha512(f"{self._names}#{self._count}".encode()).digest()
            self._count += 1
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def below(self, limit: int) -> int:
        """A whole number from 0 to ``limit`` - 1."""
        return int.from_bytes(self.bytes(8)) % limit

    def between(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both possible."""
        return low + self.below(high - low + 1)

    def pick(self, things: Sequence[T]) -> T:
        """One of some things."""
        return things[self.below(len(things))]

    def happens(self, percent: int) -> bool:
        """True in so many of a hundred cases."""
        return self.below(100) < percent

    def letters(self, alphabet: str, count: int) -> str:
        """A text of so many letters."""
        return "".join(alphabet[each % len(alphabet)] for each in self.bytes(count))

    def hex(self, digits: int) -> str:
        """So many hexadecimal digits, lower case."""
        return self.bytes((digits + 1) // 2).hex()[:digits]

    def uuid(self) -> str:
        """A version 4 UUID."""
        text = self.hex(32)
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) % 4]}{text[17:20]}-{text[20:]}"

    def seconds(self, low: int, high: int) -> int:
        """A length of time between two numbers of seconds, in microseconds."""
        return self.between(low * SECOND, high * SECOND)

    def spread(self, start: int, end: int, count: int) -> list[int]:
        """``count`` times (µs) between two, in order, a little uneven; none at the very ends."""
        step = max((end - start) // (count + 1), 3)
        return [start + step * (turn + 1) + self.between(-step // 3, step // 3) for turn in range(count)]
