"""What the log says about itself: acquisitions, commits and statements, folded from the entries that are not records.

``History`` is a function of the log. The journal beside it (``STORE/index/history``) holds those entries again, a
frame a commit, so that opening a large store does not read every bundle. It is a cache: frames carry a checksum, the
sizes that they lie between and the root, and what does not fit the log is read from the log instead.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from custody.errors import StoreError
from custody.ledger.entry import AcquisitionEntry, RecordEntry, SegmentEntry, StatementEntry, decode
from custody.store.layout import INDEX

JOURNAL = f"{INDEX}/history"
RECORD_PREFIX = b'{"v":1,"kind":"record",'
_HEAD = struct.Struct(">4sQQ32sII")
_MAGIC = b"chf1"
_Rows = list[tuple[int, bytes]]
_DECODER = msgspec.msgpack.Decoder(_Rows)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was acquired, and how far its records are committed.

    ``leaf`` is its acquisition's. ``records`` is the number read, of which ``duplicates`` were not sealed again; an
    interrupted file goes on at ordinal ``records``. ``done`` says that nothing more is to come.
    """

    leaf: int
    path: str
    member: str | None
    received: str
    content: str
    problem: str | None
    records: int = 0
    duplicates: int = 0
    done: bool = False


class Closed(msgspec.Struct, frozen=True, gc=False):
    """A commit as its segment entry at ``leaf`` closed it: the record leaves [first, end) and their segment file."""

    leaf: int
    file: str | None
    sha256: str | None
    first: int
    end: int


class Said(msgspec.Struct, frozen=True):
    """A statement and its leaf."""

    leaf: int
    entry: StatementEntry


@dataclass
class History:
    """The fold. ``size`` is how many leaves it covers; record leaves only count through the segment entries."""

    size: int = 0
    files: dict[int, Known] = field(default_factory=dict)
    received: dict[str, list[int]] = field(default_factory=dict)
    closed: list[Closed] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    consumed: dict[int, list[int]] = field(default_factory=dict)
    """For each acquisition, the leaves of the segment entries that name it."""

    def add(self, leaf: int, raw: bytes) -> None:
        """Take in the entry at ``leaf``, which is not a record's. StoreError where it contradicts what came before."""
        match decode(raw):
            case AcquisitionEntry() as entry:
                self._acquired(leaf, entry)
            case SegmentEntry() as entry:
                self.closed.append(Closed(leaf, entry.file, entry.sha256, entry.first, entry.end))
                for acquisition, records, duplicates, done in entry.files:
                    self._consumed(leaf, acquisition, records, duplicates, done=bool(done))
            case StatementEntry() as entry:
                self.said.append(Said(leaf, entry))
            case RecordEntry():
                raise StoreError("a record is not history", where=f"leaf {leaf}")

    def last(self, what: str) -> Said | None:
        """The last statement of a kind."""
        return next((said for said in reversed(self.said) if said.entry.what == what), None)

    def _acquired(self, leaf: int, entry: AcquisitionEntry) -> None:
        self.files[leaf] = Known(
            leaf=leaf,
            path=entry.path,
            member=entry.member,
            received=entry.received,
            content=entry.content,
            problem=entry.problem,
        )
        self.received.setdefault(entry.received, []).append(leaf)

    def _consumed(self, leaf: int, acquisition: int, records: int, duplicates: int, *, done: bool) -> None:
        before = self.files.get(acquisition)
        if before is None:
            raise StoreError(
                "a commit names a file that was not acquired", where=f"leaf {leaf}", found=str(acquisition)
            )
        self.consumed.setdefault(acquisition, []).append(leaf)
        self.files[acquisition] = msgspec.structs.replace(
            before,
            records=before.records + records,
            duplicates=before.duplicates + duplicates,
            done=before.done or done,
        )


class Frame(msgspec.Struct, frozen=True):
    """The entries of [first, end) that are not records, and the root of the log at ``end``."""

    first: int
    end: int
    root: bytes
    rows: _Rows


def others(entries: Iterable[tuple[int, bytes]]) -> _Rows:
    """The (leaf, entry) that are not records."""
    return [(leaf, entry) for leaf, entry in entries if not entry.startswith(RECORD_PREFIX)]


def encode_frame(frame: Frame) -> bytes:
    """The bytes of a frame of the journal."""
    payload = msgspec.msgpack.encode(frame.rows)
    head = _HEAD.pack(_MAGIC, frame.first, frame.end, frame.root, len(payload), 0)
    return _HEAD.pack(_MAGIC, frame.first, frame.end, frame.root, len(payload), zlib.crc32(head + payload)) + payload


def read_frames(root: Path, size: int) -> Iterator[Frame]:
    """The frames of the journal that lie below ``size``, up to the first that is torn or out of order."""
    try:
        data = (root / JOURNAL).read_bytes()
    except OSError:
        return
    at, covered = 0, 0
    while at + _HEAD.size <= len(data):
        magic, first, end, top, length, crc = _HEAD.unpack_from(data, at)
        payload = data[at + _HEAD.size : at + _HEAD.size + length]
        head = _HEAD.pack(magic, first, end, top, length, 0)
        if magic != _MAGIC or first != covered or not first < end <= size or zlib.crc32(head + payload) != crc:
            return
        try:
            rows = _DECODER.decode(payload)
        except msgspec.MsgspecError:
            return
        yield Frame(first, end, top, rows)
        at, covered = at + _HEAD.size + length, end
