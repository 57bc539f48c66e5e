"""Pushed logs on their way in: unpacked, within limits, held in memory or, where large, in a file of the broker's.

A file is made for its owner alone, in a folder of the broker's own, and removed when its records are sealed or refused.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from custody.broker.clock import Random
from custody.errors import EvidenceUnavailable, IntentRefused
from custody.serve.bodies import too_large

HELD = 1 << 20
"""Bytes that are held in memory; a longer body goes to a file."""

RATIO = 200
"""Bytes that one byte of gzip may become, beyond the first megabyte."""

MEMBERS = 1000
"""Members of one gzip body, at most: each costs a copy of what follows."""

_STEP = 256 << 10
_GZIP = 31
"""zlib's window bits for gzip alone."""

SUFFIX = ".pushed"


@asynccontextmanager
async def spooled(parts: AsyncIterator[bytes], folder: Path, random: Random) -> AsyncIterator[bytes | Path]:
    """The whole of a body, in memory or as a file that is removed at the end of the block.

    EvidenceUnavailable where the file cannot be written.
    """
    held = bytearray()
    spool: tuple[Path, BinaryIO] | None = None
    try:
        async for part in parts:
            held += part
            if len(held) > HELD:
                spool = spool or _opened(folder, random)
                _written(spool, held)
        if spool is None:
            yield bytes(held)
        else:
            _written(spool, held)
            spool[1].close()
            yield spool[0]
    finally:
        if spool is not None:
            spool[1].close()
            spool[0].unlink(missing_ok=True)


def swept(folder: Path) -> int:
    """Remove what a broker that was killed left in the folder: none of it was acknowledged. Gives how many."""
    left = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
    for each in left:
        each.unlink()
    return len(left)


async def unpacked(parts: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    """Gzip (RFC 1952) of any number of members, as a stream.

    IntentRefused: ``too-large`` over ``most`` bytes or where it grows beyond ``RATIO``, ``malformed`` where it is no
    gzip or ends too soon.
    """
    member = zlib.decompressobj(_GZIP)
    packed = grown = members = 0
    begun = False
    async for part in parts:
        packed += len(part)
        waiting = part
        while waiting:
            if member.eof:
                member, begun, members = zlib.decompressobj(_GZIP), False, members + 1
                if members > MEMBERS:
                    raise _not_gzip()
            out = _step(member, waiting)
            begun = True
            grown += len(out)
            if grown > most or grown > HELD + RATIO * packed:
                raise too_large(most)
            if out:
                yield out
            waiting = member.unused_data if member.eof else member.unconsumed_tail
    if begun and not member.eof:
        raise _not_gzip()


def _step(member: zlib._Decompress, waiting: bytes) -> bytes:
    try:
        return member.decompress(waiting, _STEP)
    except zlib.error:
        raise _not_gzip() from None


def _not_gzip() -> IntentRefused:
    return IntentRefused("the body is no whole gzip", reason="malformed", expected="RFC 1952")


def _opened(folder: Path, random: Random) -> tuple[Path, BinaryIO]:
    path = folder / f"{random(16).hex()}{SUFFIX}"
    try:
        path.touch(mode=0o600, exist_ok=False)
        return path, path.open("r+b")
    except OSError:
        raise _no_place() from None


def _written(spool: tuple[Path, BinaryIO], held: bytearray) -> None:
    try:
        spool[1].write(held)
    except OSError:
        raise _no_place() from None
    held.clear()


def _no_place() -> EvidenceUnavailable:
    return EvidenceUnavailable("a pushed log cannot be held", reason="no-space", advice="look at the broker's disk")
