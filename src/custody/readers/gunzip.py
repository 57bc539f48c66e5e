"""RFC 1952: gzip of any number of members, read as a stream; what was readable before a fault is kept."""

import zlib
from collections.abc import Generator

import deflate

from custody.readers.limits import KIB, Budget
from custody.readers.streams import BLOCK, Blocks, Stream

MAGIC = b"\x1f\x8b\x08"
OVER_RATIO = "over the limit of decompressed bytes per byte received"
CUT_SHORT = "compressed data is cut short"
_CHUNK = 64 * KIB


def gunzip_whole(data: bytes, limit: int, budget: Budget) -> bytes | None:
    """All of ``data`` where it is plainly one sound member of at most ``limit`` bytes, else None (use ``gunzip``).

    libdeflate is fast but reads only the first member and allocates what the footer asks for. So the footer must be
    modest, no second member may start anywhere, and the length must be the footer's.
    """
    size = int.from_bytes(data[-4:], "little")
    if not 0 < size <= min(limit, budget.left) or data.find(MAGIC, 1) >= 0:
        return None
    try:
        content = bytes(deflate.gzip_decompress(data))
    except (deflate.DeflateError, ValueError):
        return None
    if len(content) != size or zlib.crc32(content) != int.from_bytes(data[-8:-4], "little"):
        return None
    budget.take(size)
    return content


def gunzip(source: Stream, budget: Budget) -> Blocks:
    """Every member one after the other. Zero padding after a member is allowed; other bytes there are a problem."""
    while True:
        problem = yield from inflate(source, budget, zlib.decompressobj(wbits=31))
        if problem:
            return problem
        while source.peek(_CHUNK) and not source.peek(_CHUNK).strip(b"\0"):
            source.read(_CHUNK)
        padding = len(source.peek(_CHUNK)) - len(source.peek(_CHUNK).lstrip(b"\0"))
        source.read(padding)
        if not source.peek(1):
            return source.problem
        if source.peek(len(MAGIC)) != MAGIC:
            return "bytes that are no gzip member follow the compressed data; they were not read"


def inflate(source: Stream, budget: Budget, engine: "zlib._Decompress") -> Blocks:
    """One deflate stream, leaving ``source`` just behind it."""
    while not engine.eof:
        chunk = source.peek(_CHUNK)
        saved = engine.copy()
        try:
            out = engine.decompress(chunk, BLOCK)
        except zlib.error as error:
            problem = yield from _spend(_salvage(saved, chunk), budget)
            return problem or f"compressed data is damaged: {_reason(error)}"
        source.read(len(chunk) - len(engine.unconsumed_tail) - len(engine.unused_data))
        problem = yield from _spend(out, budget)
        if problem:
            return problem
        if not chunk and not out:
            return source.problem or CUT_SHORT
    return None


def _spend(out: bytes, budget: Budget) -> Generator[bytes, None, str | None]:
    allowed = budget.take(len(out))
    if allowed:
        yield out[:allowed]
    return OVER_RATIO if allowed < len(out) else None


def _salvage(engine: "zlib._Decompress", chunk: bytes) -> bytes:
    """What the chunk gives up to its fault: zlib drops the output of a call that fails, so feed it byte by byte."""
    out = bytearray()
    for position in range(len(chunk)):
        try:
            out += engine.decompress(chunk[position : position + 1])
        except zlib.error:
            break
    return bytes(out)


def _reason(error: zlib.error) -> str:
    return str(error).rpartition(": ")[2]
