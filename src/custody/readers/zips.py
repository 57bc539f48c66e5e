"""PKWARE APPNOTE 6.3.10: the parts of ``.zip`` that log exports use: stored and deflated members, ZIP64.

Members are those of the central directory. Where it is missing (the file is cut short) the local headers are read
from the start instead, as far as they go, and the archive has a problem.
"""

import stat
import struct
import zlib
from collections.abc import Generator
from typing import BinaryIO

import msgspec

from custody.readers.gunzip import inflate
from custody.readers.limits import KIB, Budget
from custody.readers.streams import BLOCK, Blocks, Member, Members, Stream

MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_LOCAL = struct.Struct("<4sHHHHHLLLHH")
_CENTRAL = struct.Struct("<4sHHHHHHLLLHHHHHLL")
_END = struct.Struct("<4sHHHHLLH")
_END64 = struct.Struct("<4sQHHLLQQQQ")
_LOCATOR = struct.Struct("<4sLQL")
_DEFLATED = 8
_LONGEST_DESCRIPTOR = 24
_UTF8, _ENCRYPTED, _STREAMED = 0x800, 0x1, 0x8


class _Entry(msgspec.Struct, frozen=True):
    """What a header says. ``crc`` is None where it comes only after the data."""

    name: bytes
    flags: int
    method: int
    crc: int | None
    packed: int
    unpacked: int
    offset: int
    mode: int = 0


_Entries = Generator[_Entry, None, str | None]


def members(handle: BinaryIO, budget: Budget) -> Members:
    """Every member in the order of the directory. Returns what was wrong with the archive, or None."""
    size = handle.seek(0, 2)
    directory = _find_directory(handle, size)
    if directory is None:
        return (yield from _without_directory(handle, budget))
    entries = _directory(handle, *directory)
    while True:
        try:
            entry = next(entries)
        except StopIteration as stop:
            return _text(stop.value)
        start = _data_start(handle, entry)
        body = _damaged() if start is None else _body(handle, start, entry, budget)
        yield Member(_name(entry), _kind(entry), Stream(body))


def _find_directory(handle: BinaryIO, size: int) -> tuple[int, int] | None:
    """Offset and length of the central directory, from the end record whose comment ends the file."""
    handle.seek(max(0, size - 64 * KIB - _END.size))
    tail = handle.read()
    at = tail.rfind(b"PK\x05\x06")
    while at >= 0 and len(tail) - at >= _END.size:
        *_, count, length, offset, comment = _END.unpack_from(tail, at)
        if at + _END.size + comment == len(tail):
            if count == 0xFFFF or 0xFFFFFFFF in (length, offset):
                length, offset = _find_zip64(handle, size - len(tail) + at) or (length, offset)
            return (offset, length) if offset + length <= size else None
        at = tail.rfind(b"PK\x05\x06", 0, at)
    return None


def _find_zip64(handle: BinaryIO, end: int) -> tuple[int, int] | None:
    located = _unpack_at(handle, end - _LOCATOR.size, _LOCATOR, b"PK\x06\x07")
    found = located and _unpack_at(handle, located[2], _END64, b"PK\x06\x06")
    return (found[8], found[9]) if found else None


def _directory(handle: BinaryIO, offset: int, length: int) -> _Entries:
    end = offset + length
    while offset < end:
        fields = _unpack_at(handle, offset, _CENTRAL, b"PK\x01\x02")
        if fields is None:
            return "the archive is damaged: its directory ends early"
        (_, system, _, flags, method, _, _, crc, packed, unpacked, name, extra, comment, _, _, mode, start) = fields
        text = handle.read(name)
        sizes = _zip64_sizes(handle.read(extra), (unpacked, packed, start))
        unix = mode >> 16 if system >> 8 == 3 else 0
        yield _Entry(text, flags, method, crc, sizes[1], sizes[0], sizes[2], unix)
        offset += _CENTRAL.size + name + extra + comment
    return None


def _zip64_sizes(extra: bytes, sizes: tuple[int, int, int]) -> list[int]:
    """The sizes with those of 0xFFFFFFFF replaced from the ZIP64 field, in its order."""
    found = list(sizes)
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        for position in (index for index, size in enumerate(sizes) if kind == 1 and size == 0xFFFFFFFF):
            found[position], field = int.from_bytes(field[:8], "little"), field[8:]
    return found


def _without_directory(handle: BinaryIO, budget: Budget) -> Members:
    offset = 0
    while fields := _unpack_at(handle, offset, _LOCAL, MAGICS[0]):
        (_, _, flags, method, _, _, crc, packed, unpacked, name, extra) = fields
        text, sizes = handle.read(name), _zip64_sizes(handle.read(extra), (unpacked, packed, 0))
        entry = _Entry(text, flags, method, None if flags & _STREAMED else crc, sizes[1], sizes[0], offset)
        start = offset + _LOCAL.size + name + extra
        source = _source(handle, start, None if flags & _STREAMED else entry.packed)
        body = Stream(_unpacked(source, entry, budget))
        yield Member(_name(entry), _kind(entry), body)
        body.drain()
        offset = start + source.at + _descriptor(source)
    return "the archive is cut short: it has no directory"


def _descriptor(source: Stream) -> int:
    """The length of what stands between a member's data and the next header: nothing, or a data descriptor."""
    return max(0, source.peek(_LONGEST_DESCRIPTOR + 4).find(b"PK\x03\x04"))


def _data_start(handle: BinaryIO, entry: _Entry) -> int | None:
    fields = _unpack_at(handle, entry.offset, _LOCAL, MAGICS[0])
    return None if fields is None else entry.offset + _LOCAL.size + fields[9] + fields[10]


def _body(handle: BinaryIO, start: int, entry: _Entry, budget: Budget) -> Blocks:
    return _unpacked(_source(handle, start, entry.packed), entry, budget)


def _source(handle: BinaryIO, start: int, size: int | None) -> Stream:
    return Stream(_range(handle, start, size))


def _range(handle: BinaryIO, start: int, size: int | None) -> Blocks:
    """A range of the file (to its end where ``size`` is None); others may move the handle in between."""
    while size is None or size > 0:
        try:
            handle.seek(start)
            block = handle.read(min(size or BLOCK, BLOCK))
        except OSError as error:
            return f"reading stopped: {error.strerror or error}"
        if not block:
            return None if size is None else "the archive is cut short"
        start, size = start + len(block), None if size is None else size - len(block)
        yield block
    return None


def _unpacked(source: Stream, entry: _Entry, budget: Budget) -> Blocks:
    blocks = inflate(source, budget, zlib.decompressobj(wbits=-15)) if entry.method == _DEFLATED else _plain(source)
    crc = size = 0
    while True:
        try:
            block = next(blocks)
        except StopIteration as stop:
            problem = _text(stop.value)
            break
        crc, size = zlib.crc32(block, crc), size + len(block)
        yield block
    sound = entry.crc is None or (crc == entry.crc and size == entry.unpacked)
    return problem or (None if sound else "the member is damaged: its checksum or size is wrong")


def _plain(source: Stream) -> Blocks:
    yield from source.rest()
    return source.problem


def _damaged() -> Blocks:
    yield from ()
    return "the archive is damaged: the member is not where its directory says"


def _unpack_at(handle: BinaryIO, offset: int, layout: struct.Struct, magic: bytes) -> tuple[int, ...] | None:
    if offset < 0 or offset >= 1 << 62:
        return None
    handle.seek(offset)
    data = handle.read(layout.size)
    return layout.unpack(data) if len(data) == layout.size and data.startswith(magic) else None


def _kind(entry: _Entry) -> str:
    if entry.name.endswith((b"/", b"\\")) and not entry.unpacked:
        return "directory"
    if stat.S_ISLNK(entry.mode):
        return "link"
    if entry.flags & _ENCRYPTED:
        return "encrypted file"
    return "file" if entry.method in (0, _DEFLATED) else f"file compressed by method {entry.method}"


def _name(entry: _Entry) -> bytes:
    return entry.name if entry.flags & _UTF8 else entry.name.decode("cp437").encode()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
