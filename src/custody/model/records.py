"""What was received, and the batches that carry records from the readers to the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import pyarrow as pa

FORM_DELIVERED = "delivered"
FORM_ARRAY = "array"
FORM_LINES = "lines"
FORM_DOCUMENT = "document"
"""How a record stood in its file. A source's wrappings add forms of their own."""


class Wrapping(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A way in which a kind of log wraps its records, declared by a source and applied by the readers.

    ``container`` is the name of the array in a top-level object (``Records``, ``Events``), or None where the wrapper
    stands alone, in an array or on a line. ``inner`` is the member of each element that is the record (``detail``; with
    dots a path: ``properties.log``), None where the element itself is the record. ``encoded`` says that the member is
    JSON, or a line of text, in a JSON string (``CloudTrailEvent``): the record is then the string token, quotes and
    escapes included. ``marker`` is a member that must be present for a stand-alone wrapper to be recognised.

    ``beside`` is the name of a member that must stand in the same object as the array, before or after it: a name as
    common as ``items`` or ``events`` alone would tear the records of other logs apart. Without that member the object
    is a record like any other, unless it is longer than a record may be. Several wrappings may declare one container:
    for each element the first one whose ``beside``, ``inner`` and ``marker`` are there is taken, else the element is
    the record, in the form of the first such wrapping without ``inner`` (``array`` where there is none). ``text`` is a
    regular expression that the string in ``inner`` must begin with: other messages of the same container are left to
    other sources. ``sender`` is a member of the wrapper and how its text must begin: what others may send in the same
    wrapping is no record of this source.
    """

    form: str
    container: str | None = None
    inner: str | None = None
    encoded: bool = False
    marker: str | None = None
    beside: str | None = None
    text: str | None = None
    sender: tuple[str, str] | None = None


class TextFraming(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A way in which a kind of log writes records as text, declared by a source and applied by the readers.

    A file that does not begin as JSON (or of which only the first line is JSON) is text of this framing when one of its
    first 200 lines matches ``head`` (a regular expression on bytes, from the start of the line). Each line is a record
    then, or, with ``csv``, each row of RFC 4180 (a quoted field may hold line ends). With ``header`` the first line
    names the columns: it is no record, and the form of every record is ``form``, a space and that line, because a row
    means nothing without it.
    """

    form: str
    head: str
    csv: bool = False
    header: bool = False


class Acquisition(msgspec.Struct, frozen=True, kw_only=True):
    """One innermost file as received.

    ``path`` is the file as named on the way in; ``member`` the path inside a container, None for a plain file.
    ``received`` is the SHA-256 (hex) of the outer file's bytes as received and ``received_size`` their number;
    ``content`` and ``content_size`` are of the decompressed innermost bytes. ``problem`` says why the content is not
    whole (truncated, unreadable, over a limit), None where it is.
    """

    path: str
    member: str | None
    received: str
    received_size: int
    content: str
    content_size: int
    problem: str | None = None


class Framed(msgspec.Struct, frozen=True, gc=False):
    """One record as it stands in its innermost file.

    ``at`` and ``length`` are byte offsets in the decompressed innermost file; ``raw`` is exactly those bytes, None
    where they are over the size limit (``digest`` is then their SHA-256, hashed as a stream). ``problem`` is a key of
    SKIP_REASONS when the bytes cannot be read as a record, None otherwise.
    """

    at: int
    length: int
    raw: bytes | None
    form: str
    problem: str | None = None
    digest: bytes | None = None


class SecretSpan(msgspec.Struct, frozen=True, gc=False):
    """The content of a JSON string that must not be kept: ``raw[start:end]``, without the quotes."""

    start: int
    end: int
    secret: str


class Identity(msgspec.Struct, frozen=True, gc=False):
    """What a source's frozen ``identify`` says of a record: the scheme, the identity in it, and where secrets are.

    ``withheld`` says that it holds a secret that no span can cover (a number): the payload must not be kept.
    """

    scheme: str
    id: str
    secrets: tuple[SecretSpan, ...] = ()
    withheld: bool = False


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Records on their way to the store: columns of equal length, in the order of their file.

    ``acquisition`` is the leaf of the file that they stand in and ``ordinal`` the number of records of that file that
    came before; ``last`` says that the file is done with this batch. ``entries`` are the finished log entries,
    ``leaves`` their leaf hashes (32 bytes each, joined), ``identity_hashes`` the first 8 bytes (big-endian) of the
    SHA-256 of source, NUL, identity. ``kept`` and ``salts`` are None where the payload is withheld. ``parts`` holds
    the typed meaning, one row a part (PARTS_SCHEMA without ``leaf``); its ``row`` is the record's index in this batch.
    """

    acquisition: int
    ordinal: int
    last: bool
    entries: list[bytes]
    leaves: bytes
    identity_hashes: list[int]
    sources: list[str]
    ids: list[str]
    forms: list[str]
    kept: list[bytes | None]
    salts: list[bytes | None]
    skips: list[str | None]
    parts: pa.RecordBatch

    def __len__(self) -> int:
        return len(self.entries)


PARTS_COLUMNS: dict[str, str] = {
    "row": "int32",
    "source": "string",
    "event": "string",
    "form": "string",
    "time": "int64",
    "stage": "string",
    "key": "string",
    "service": "string",
    "action": "string",
    "outcome": "string",
    "error": "string",
    "account": "string",
    "region": "string",
    "category": "string",
    "origin": "string",
    "endpoint": "string",
    "agent": "string",
    "principal": "string",
    "principal_id": "string",
    "principal_kind": "string",
    "session": "string",
    "created": "int64",
    "invoked_by": "string",
    "console": "bool",
    "source_identity": "string",
    "request_id": "string",
    "shared_id": "string",
    "resource": "string",
    "tags": "string",
    "policy": "string",
    "trace": "string",
    "parent": "string",
    "subject": "string",
    "session_name": "string",
    "workload": "string",
    "granularity": "string",
    "bound_by": "string",
    "method": "string",
    "not_after": "int64",
    "effect": "string",
    "object": "string",
    "related": "string",
    "cutoff": "int64",
    "alias": "string",
    "population": "string",
    "asserter": "string",
}
"""One row a part: column name to Arrow type name. ``event`` is the record identity.

Times are int64 microseconds since 1970, UTC, in every table: engines disagree about timestamp types. In the store
``row`` is replaced by ``leaf`` (int64).
"""
