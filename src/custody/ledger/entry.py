r"""The entries of custody's logs: compact UTF-8 JSON, one form for each, its keys in this order.

    {"v":1,"kind":"record","source":…,"scheme":…,"id":…,"kept":hex,"file":leaf,"at":offset,"len":length}
    {"v":1,"kind":"acquisition","path":…,"member":…,"received":hex,"received_size":n,"content":hex,
     "content_size":n,"problem":…,"by":…,"version":…,"at":time}
    {"v":1,"kind":"segment","file":…,"sha256":…,"first":n,"end":n,"files":[[leaf,records,duplicates,done],…]}
    {"v":1,"kind":"statement","what":…, and the fields of that statement}

Strings are escaped where JSON demands it and nowhere else (``\b \f \n \r \t``, else ``\u00xx`` in lower case);
numbers are integers. ``decode`` accepts these bytes and no others.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from custody.errors import LogError
from custody.ledger.tiles import MAX_ENTRY
from custody.model.records import Acquisition

_Count = Annotated[int, msgspec.Meta(ge=0)]
_Digest = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]

_INTEGERS = 1 << 63
"""Integers of a statement are within 64 bits, signed."""


class RecordEntry(msgspec.Struct, frozen=True, gc=False):
    """A record. ``kept`` is SHA-256(salt ‖ kept bytes) in hex; ``file`` the leaf of the acquisition it stands in.

    ``at`` and ``length`` (``len`` in the entry) are bytes in the decompressed innermost file.
    """

    source: str
    scheme: str
    id: str
    kept: _Digest
    file: _Count
    at: _Count
    length: _Count = msgspec.field(name="len")


class AcquisitionEntry(msgspec.Struct, frozen=True):
    """A file as received (see ``model.records.Acquisition``): ``by`` whom, with which ``version``, ``at`` what time."""

    path: str
    member: str | None
    received: _Digest
    received_size: _Count
    content: _Digest
    content_size: _Count
    problem: str | None
    by: str
    version: str
    at: str


class SegmentEntry(msgspec.Struct, frozen=True):
    """The end of a commit: its store file and the SHA-256 of that, the record leaves ``[first, end)`` before it.

    ``files`` has, for each acquisition, its leaf, the records read in this commit, the duplicates among them, and
    1 where the file is done, else 0.
    """

    file: str | None
    sha256: _Digest | None
    first: _Count
    end: _Count
    files: tuple[tuple[_Count, _Count, _Count, Annotated[int, msgspec.Meta(ge=0, le=1)]], ...]


class StatementEntry(msgspec.Struct, frozen=True):
    """Something said by custody or through it: ``what`` names the kind of statement, ``fields`` what it says."""

    what: str
    fields: Mapping[str, object]


Entry = RecordEntry | AcquisitionEntry | SegmentEntry | StatementEntry


def record_entry(source: str, scheme: str, id: str, kept_hex: str, file: int, at: int, length: int) -> bytes:  # noqa: A002
    """The entry of a record. LogError where it is too long or a text is not Unicode."""
    texts = f"{source}{scheme}{id}"
    if not (texts.isascii() and texts.isprintable()) or '"' in texts or "\\" in texts:
        return _escaped(RecordEntry(source, scheme, id, kept_hex, file, at, length))
    entry = (
        f'{{"v":1,"kind":"record","source":"{source}","scheme":"{scheme}","id":"{id}","kept":"{kept_hex}",'
        f'"file":{file},"at":{at},"len":{length}}}'
    ).encode()
    return entry if len(entry) <= MAX_ENTRY else _fitting(entry)


def acquisition_entry(acquisition: Acquisition, *, by: str, version: str, at: str) -> bytes:
    """The entry of a file as received: ``by`` whom, with which ``version`` of custody, ``at`` an RFC 3339 time.

    LogError where it is too long or a text is not Unicode.
    """
    return _escaped(
        AcquisitionEntry(
            path=acquisition.path,
            member=acquisition.member,
            received=acquisition.received,
            received_size=acquisition.received_size,
            content=acquisition.content,
            content_size=acquisition.content_size,
            problem=acquisition.problem,
            by=by,
            version=version,
            at=at,
        )
    )


def segment_entry(
    file: str | None, sha256: str | None, first: int, end: int, files: Sequence[tuple[int, int, int, int]]
) -> bytes:
    """The entry that closes a commit; see SegmentEntry. LogError where it is too long (about 2,000 files)."""
    return _escaped(SegmentEntry(file, sha256, first, end, tuple(files)))


def statement_entry(what: str, fields: Mapping[str, object]) -> bytes:
    """The entry of a statement, its fields in the order given.

    Values are text, integers of 64 bits, booleans, None, and lists, tuples and dicts of them. LogError for any other,
    for a field called ``v``, ``kind`` or ``what``, and where the entry is too long.
    """
    if taken := {"v", "kind", "what"} & fields.keys():
        raise LogError("a statement has a field of every entry", found=", ".join(sorted(taken)))
    try:
        _check_value({**fields})
        return _fitting(msgspec.json.encode({"v": 1, "kind": "statement", "what": what, **fields}))
    except (UnicodeEncodeError, RecursionError) as error:
        raise LogError("a statement cannot be written", where=what[:100], found=str(error)) from None


def decode(entry: bytes) -> Entry:
    """What an entry says. LogError where it is of no known kind, or would be written in other bytes."""
    try:
        value, again = _decoded(entry)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise LogError("not an entry of a custody log", found=f"{_start(entry)}: {error}") from None
    if again != entry:
        raise LogError("an entry is not in its one form", found=_start(entry), expected=_start(again))
    return value


_RECORD = b'{"v":1,"kind":"record",'
_ACQUISITION = b'{"v":1,"kind":"acquisition",'
_SEGMENT = b'{"v":1,"kind":"segment",'
_STATEMENT = b'{"v":1,"kind":"statement",'

_read_record = msgspec.json.Decoder(RecordEntry).decode
_read_acquisition = msgspec.json.Decoder(AcquisitionEntry).decode
_read_segment = msgspec.json.Decoder(SegmentEntry).decode
_read_fields = msgspec.json.Decoder(dict[str, object]).decode


def is_segment(entry: bytes) -> bool:
    """Whether the entry closes a commit, by how it starts."""
    return entry.startswith(_SEGMENT)


def _decoded(entry: bytes) -> tuple[Entry, bytes]:
    """The value of an entry, and the bytes that the value would be written in."""
    if entry.startswith(_RECORD):
        record = _read_record(entry)
        again = record_entry(
            record.source, record.scheme, record.id, record.kept, record.file, record.at, record.length
        )
        return record, again
    if entry.startswith(_ACQUISITION):
        acquisition = _read_acquisition(entry)
        return acquisition, _escaped(acquisition)
    if entry.startswith(_SEGMENT):
        segment = _read_segment(entry)
        return segment, _escaped(segment)
    if entry.startswith(_STATEMENT):
        return _statement(_read_fields(entry))
    raise LogError("not an entry of a custody log", found=_start(entry), expected="an entry of version 1, known kind")


def _statement(fields: dict[str, object]) -> tuple[Entry, bytes]:
    what = fields.pop("what", None)
    if not isinstance(what, str):
        raise LogError("a statement does not say what it is", found=repr(what)[:100], expected="text")
    del fields["v"], fields["kind"]
    return StatementEntry(what, fields), statement_entry(what, fields)


def _escaped(value: RecordEntry | AcquisitionEntry | SegmentEntry) -> bytes:
    """The entry of a value through the JSON writer, which escapes what must be."""
    heads = {RecordEntry: _RECORD, AcquisitionEntry: _ACQUISITION, SegmentEntry: _SEGMENT}
    try:
        return _fitting(heads[type(value)] + msgspec.json.encode(value)[1:])
    except UnicodeEncodeError as error:
        raise LogError("an entry's text is not Unicode", found=str(error)) from None


def _fitting(entry: bytes) -> bytes:
    if len(entry) > MAX_ENTRY:
        raise LogError("an entry is too long", found=f"{len(entry)} bytes", expected=f"at most {MAX_ENTRY}")
    return entry


def _check_value(value: object) -> None:
    match value:
        case None | bool() | str():
            return
        case int() if -_INTEGERS <= value < _INTEGERS:
            return
        case list() | tuple():
            for item in value:
                _check_value(item)
        case dict() if all(isinstance(name, str) for name in value):
            for item in value.values():
                _check_value(item)
        case _:
            raise LogError(
                "not a value of a statement", found=repr(value)[:100], expected="text, integers, lists, maps"
            )


def _start(entry: bytes) -> str:
    return repr(entry[:200])
