"""The archive of a pack: a ZIP file (APPNOTE 6.3) in one form only, so that every byte of it is accounted for.

Members stand one after the other from the first byte on, deflated, without flags, extra fields or comments, dated
1980-01-01, mode 0644; then the central directory in the same order, then its end (with the records of ZIP64 where there
are more than 65,534 members). Any tool unpacks it. Reading is strict: every header is made again from what it says and
compared, so no two tools can see two things in one file. What two runs write is equal as long as zlib is the same.
"""

import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from hashlib import sha256
from io import SEEK_END
from typing import BinaryIO

import msgspec

from custody.errors import LogError, UsageError

LEVEL = 9
MAX_MEMBERS = 400_000
MAX_BYTES = (1 << 32) - (1 << 24)
"""Bytes in an archive, and in all of its members, unpacked: below the fields of 32 bits."""

MAX_RATIO = 200
"""Bytes unpacked for each byte of the archive, past the first FREE."""

FREE = 1 << 26
CHUNK = 1 << 20

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_NEEDED, _UNIX, _DEFLATED, _DAY = 20, 3 << 8, 8, 0x21
_MODE = 0o100644 << 16
_FULL = 0xFFFF
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*", re.ASCII)
_LONGEST = 200


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One file of an archive: ``size`` bytes unpacked, ``packed`` in the archive, its header at ``at``."""

    name: str
    size: int
    packed: int
    crc: int
    at: int

    @property
    def end(self) -> int:
        """Where the next member begins."""
        return self.at + _LOCAL.size + len(self.name) + self.packed


class Written(msgspec.Struct, frozen=True):
    """What went into a member: its size, and the SHA-256 (hex) of its bytes."""

    size: int
    sha256: str


class Writer:
    """Writes members in order into ``file``, which can seek; ``close`` writes the directory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._members: list[Member] = []
        self._names: set[str] = set()
        self._at = 0

    def add(self, name: str, data: bytes | Iterable[bytes]) -> Written:
        """Write a member. LogError for a name that is no plain relative path, UsageError where it is too much."""
        check_name(name, self._names)
        self._file.seek(self._at + _LOCAL.size + len(name))
        packer, digest = zlib.compressobj(LEVEL, zlib.DEFLATED, -15), sha256()
        size = packed = crc = 0
        for chunk in (data,) if isinstance(data, bytes) else data:
            digest.update(chunk)
            crc, size = zlib.crc32(chunk, crc), size + len(chunk)
            packed += self._file.write(packer.compress(chunk))
            _fits(self._at + packed, size)
        packed += self._file.write(packer.flush())
        member = Member(name=name, size=size, packed=packed, crc=crc, at=self._at)
        _fits(member.end, size)
        self._file.seek(self._at)
        self._file.write(_local(member))
        self._members.append(member)
        self._at = member.end
        return Written(size, digest.hexdigest())

    def close(self) -> None:
        """Write the directory; the file is then whole and can be closed."""
        self._file.seek(self._at)
        size = 0
        for member in self._members:
            size += self._file.write(_central(member))
        _fits(self._at + size, 0)
        self._file.write(_end(len(self._members), size, self._at))


def check_name(name: str, taken: set[str]) -> None:
    """Add ``name`` to those taken; LogError where it is no plain relative path or is there already, in any case."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise LogError("not a plain relative path", found=repr(name[:_LONGEST]), expected="letters, digits, . _ - /")
    if name.lower() in taken:
        raise LogError("two files of an archive have one name", found=repr(name))
    taken.add(name.lower())


def read_members(file: BinaryIO) -> list[Member]:
    """The members of an archive, in order. LogError where it is not one in the one form above; nothing is unpacked."""
    length = file.seek(0, SEEK_END)
    count, size, at, end = _read_end(file, length)
    if count > MAX_MEMBERS or at + size != end or length > MAX_BYTES + (1 << 24):
        raise _refused("its end does not fit", f"{count} files, directory of {size} bytes at {at}")
    if file.seek(end) != end or file.read() != _end(count, size, at):
        raise _refused("the records at its end are in another form", "")
    file.seek(at)
    members = list(_read_directory(file.read(size), count))
    start = 0
    for member in members:
        if member.at != start:
            raise _refused("there is a gap between its files", member.name)
        start = member.end
    if start != at:
        raise _refused("there is something between its files and its directory", f"{at - start} bytes")
    unpacked = sum(member.size for member in members)
    if unpacked > max(FREE, MAX_RATIO * length) or unpacked > MAX_BYTES:
        raise _refused("it would unpack to too much", f"{unpacked} bytes from {length}")
    return members


def read_member(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """The bytes of a member, in pieces. LogError where they are not exactly what the directory says."""
    file.seek(member.at)
    if file.read(_LOCAL.size + len(member.name)) != _local(member):
        raise LogError("its header differs from the directory", where=member.name)
    unpacker = zlib.decompressobj(-15)
    size = crc = 0
    left = member.packed
    while left and not unpacker.eof:
        data = file.read(min(CHUNK, left))
        if not data:
            break
        left -= len(data)
        chunk = b""
        # A full chunk may leave more behind in the unpacker than in its tail: it is asked until it has nothing to give.
        while (data or len(chunk) == CHUNK) and size <= member.size:
            chunk = _unpacked(unpacker, data, member)
            data = unpacker.unconsumed_tail
            size, crc = size + len(chunk), zlib.crc32(chunk, crc)
            yield chunk
    if left or not unpacker.eof or unpacker.unused_data or (size, crc) != (member.size, member.crc):
        raise LogError("it does not unpack to what the directory says", where=member.name)


def _unpacked(unpacker: "zlib._Decompress", data: bytes, member: Member) -> bytes:
    try:
        return unpacker.decompress(data, CHUNK)
    except zlib.error as error:
        raise LogError("it cannot be unpacked", where=member.name, found=str(error)) from None


def _fits(packed: int, size: int) -> None:
    if packed > MAX_BYTES or size > MAX_BYTES:
        raise UsageError(
            "the pack is too large",
            expected=f"at most {MAX_BYTES >> 20:,} MiB",
            advice="choose less: --identity, --rule, a shorter --period, or --sample N",
        )


def _local(member: Member) -> bytes:
    name = member.name.encode("ascii")
    sizes = (member.crc, member.packed, member.size, len(name), 0)
    return _LOCAL.pack(b"PK\x03\x04", _NEEDED, 0, _DEFLATED, 0, _DAY, *sizes) + name


def _central(member: Member) -> bytes:
    name = member.name.encode("ascii")
    sizes = (member.crc, member.packed, member.size, len(name))
    head = _CENTRAL.pack(
        b"PK\x01\x02", _UNIX | _NEEDED, _NEEDED, 0, _DEFLATED, 0, _DAY, *sizes, 0, 0, 0, 0, _MODE, member.at
    )
    return head + name


def _end(count: int, size: int, at: int) -> bytes:
    """The end of the directory: with ZIP64 records where the count needs them."""
    short = min(count, _FULL)
    end = _END.pack(b"PK\x05\x06", 0, 0, short, short, size, at, 0)
    if count < _FULL:
        return end
    large = _END64.pack(b"PK\x06\x06", 44, _UNIX | 45, 45, 0, 0, count, count, size, at)
    return large + _LOCATOR.pack(b"PK\x06\x07", 0, at + size, 1) + end


def _read_end(file: BinaryIO, length: int) -> tuple[int, int, int, int]:
    """Count of members, size and place of the directory, and where its end begins, as the last record says."""
    if length < _END.size:
        raise _refused("it is too short", f"{length} bytes")
    file.seek(length - _END.size)
    magic, _, _, count, _, size, at, _ = _END.unpack(file.read(_END.size))
    end = length - _END.size
    if magic != b"PK\x05\x06":
        raise _refused("it does not end as one without a comment does", "")
    if count == _FULL:
        end -= _END64.size + _LOCATOR.size
        if end < 0:
            raise _refused("it is too short", f"{length} bytes")
        file.seek(end)
        count = int(_END64.unpack(file.read(_END64.size))[6])
    return count, size, at, end


def _read_directory(data: bytes, count: int) -> Iterator[Member]:
    taken: set[str] = set()
    place = 0
    for _ in range(count):
        if place + _CENTRAL.size > len(data):
            raise _refused("its directory ends early", f"{count} files named")
        fields = _CENTRAL.unpack_from(data, place)
        crc, packed, size, long, at = fields[7], fields[8], fields[9], fields[10], fields[16]
        name = data[place + _CENTRAL.size : place + _CENTRAL.size + long].decode("ascii", "replace")
        check_name(name, taken)
        member = Member(name=name, size=size, packed=packed, crc=crc, at=at)
        again = _central(member)
        if data[place : place + len(again)] != again:
            raise LogError("a file of the archive has other properties than a file of a pack", where=name)
        place += len(again)
        yield member
    if place != len(data):
        raise _refused("its directory is longer than its files", f"{len(data) - place} bytes")


def _refused(message: str, found: str) -> LogError:
    return LogError(f"not the archive of a pack: {message}", found=found)
