"""Bytes read once, forwards, in constant memory; what went wrong on the way is a value at the end."""

from collections.abc import Generator, Iterator
from typing import BinaryIO

import msgspec

from custody.readers.limits import MIB

Blocks = Generator[bytes, None, str | None]
"""Blocks of bytes; the generator's return value says why they are not all, None where they are."""

BLOCK = MIB


class Stream:
    """A forward reader over blocks. ``at`` bytes were taken; ``problem`` is known once the end was reached."""

    def __init__(self, blocks: Blocks, known: bytes | None = None) -> None:
        self._blocks = blocks
        self._buffer = b""
        self._start = 0
        self._ended = False
        self.known = known
        self.at = 0
        self.problem: str | None = None

    @classmethod
    def of(cls, data: bytes, problem: str | None = None) -> "Stream":
        """A stream over bytes at hand; ``known`` gives them all at once."""
        return cls(_of_bytes(data, problem), data)

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes (fewer at the end), without taking them."""
        while len(self._buffer) - self._start < size and not self._ended:
            try:
                block = next(self._blocks)
            except StopIteration as stop:
                self._ended, self.problem = True, stop.value
            else:
                self._buffer, self._start = self._buffer[self._start :] + block, 0
        return self._buffer[self._start : self._start + size]

    def read(self, size: int) -> bytes:
        """Take the next ``size`` bytes, fewer only at the end."""
        data = self.peek(size)
        self._start += len(data)
        self.at += len(data)
        return data

    def rest(self) -> Iterator[bytes]:
        """Take everything that is left, block by block."""
        while block := self.read(BLOCK):
            yield block

    def drain(self) -> str | None:
        """Go to the end and say what went wrong."""
        for _ in self.rest():
            pass
        return self.problem


class Member(msgspec.Struct, frozen=True):
    """A member of an archive: its name as it stands there, its kind and its bytes. Only a ``file`` is ever read."""

    name: bytes
    kind: str
    body: Stream


Members = Generator[Member, None, str | None]
"""Members in their order; the return value says what was wrong with the archive, None where nothing was."""


def blocks_of_file(handle: BinaryIO) -> Blocks:
    """A file's bytes from the start. A device that stops giving bytes ends them with a problem."""
    try:
        handle.seek(0)
        while block := handle.read(BLOCK):
            yield block
    except OSError as error:
        return f"reading stopped: {error.strerror or error}"
    return None


def _of_bytes(data: bytes, problem: str | None) -> Blocks:
    if data:
        yield data
    return problem
