"""POSIX.1-2001 ustar and pax, and the GNU long names: members read as a stream, nothing ever written.

Only what a log archive needs. Links, devices and sparse files are named and never followed.
"""

from collections.abc import Generator

from custody.readers.limits import MIB
from custody.readers.streams import BLOCK, Blocks, Member, Members, Stream

_RECORD = 512
_MAX_HEADER = MIB
_KINDS = {b"0": "file", b"\0": "file", b"7": "file", b"1": "link", b"2": "link", b"3": "device", b"4": "device"}
_KINDS |= {b"5": "directory", b"6": "device", b"S": "sparse file"}


def is_tar(head: bytes) -> bool:
    """Whether a file that starts with these 512 bytes is an archive: the magic and a right checksum."""
    return len(head) == _RECORD and head[257:262] == b"ustar" and _checksum_right(head)


def members(source: Stream) -> Members:
    """Every member in its order; each is skipped to its end before the next. Returns what was wrong, or None."""
    extra: dict[str, bytes] = {}
    while True:
        head = source.read(_RECORD)
        if len(head) < _RECORD:
            return source.problem or "the archive is cut short"
        if not head.strip(b"\0"):
            return None
        size = _number(head[124:136]) if _checksum_right(head) else None
        if size is None:
            return "the archive is damaged: a member's header is wrong"
        kind = head[156:157]
        if kind in b"xgLK":
            if size > _MAX_HEADER:
                return "the archive is damaged: a member's extended header is too long"
            extra |= _extended(kind, source.read(size))
            source.read(-size % _RECORD)
            continue
        size = _pax_size(extra, size)
        if size is None:
            return "the archive is damaged: a member's size is no number"
        yield from _member(source, head, extra, size)
        extra = {}


def _member(source: Stream, head: bytes, extra: dict[str, bytes], size: int) -> Generator[Member, None, None]:
    kind = "sparse file" if any(key.startswith("GNU.sparse") for key in extra) else _KINDS.get(head[156:157], "other")
    body = Stream(_body(source, size))
    yield Member(extra.get("path", _name(head)), kind, body)
    body.drain()
    source.read(-size % _RECORD)


def _body(source: Stream, size: int) -> Blocks:
    while size:
        block = source.read(min(size, BLOCK))
        if not block:
            return source.problem or "the archive is cut short"
        size -= len(block)
        yield block
    return None


def _name(head: bytes) -> bytes:
    name, prefix = head[:100].split(b"\0")[0], head[345:500].split(b"\0")[0]
    return prefix + b"/" + name if prefix and head[257:263] == b"ustar\0" else name


def _extended(kind: bytes, body: bytes) -> dict[str, bytes]:
    """The fields of an extended header; a global one (``g``) has none that matter here."""
    if kind == b"L":
        return {"path": body.rstrip(b"\0")}
    fields: dict[str, bytes] = {}
    while kind == b"x" and body:
        digits, _, rest = body.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < 8 else 0
        if not len(digits) + 1 < length <= len(body):
            break
        key, _, value = rest[: length - len(digits) - 2].partition(b"=")
        fields[key.decode("utf-8", "backslashreplace")] = value
        body = body[length:]
    return fields


def _pax_size(extra: dict[str, bytes], size: int) -> int | None:
    stated = extra.get("size")
    if stated is None:
        return size
    return int(stated) if stated.isdigit() and len(stated) < 20 else None


def _number(field: bytes) -> int | None:
    """A header number: octal digits, or base 256 where the first bit is set."""
    if field[0] & 0x80:
        return int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1) if field[0] == 0x80 else None
    digits = field.strip(b" \0")
    return int(digits, 8) if digits and not digits.strip(b"01234567") else 0 if not digits else None


def _checksum_right(head: bytes) -> bool:
    stated = _number(head[148:156])
    return stated == sum(head) - sum(head[148:156]) + 8 * ord(" ")
