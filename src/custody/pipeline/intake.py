"""From files to batches: read, identify, mask, hash and type every record, in a worker process.

The functions of each room are called inside one loop here; what goes to the writer is a Batch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from custody.errors import SourceError
from custody.ledger.entry import record_entry
from custody.ledger.merkle import leaf_hash
from custody.model.events import Event, Skip
from custody.model.records import Acquisition, Batch, Framed, Identity
from custody.readers.framing import Declared, frame
from custody.readers.limits import Limits
from custody.readers.pieces import open_all, start_of
from custody.sources.columns import to_parts
from custody.sources.mapped.mapping import Mapping
from custody.sources.masking import mask, mask_unknown
from custody.sources.registry import sources as known_sources
from custody.sources.source import Source

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 8192
UNKNOWN = "unknown"
UNKNOWN_SCHEME = "bytes/1"
SKIP_FORM = "skip:"
TOGETHER = 32 * 1024 * 1024
"""Records of so many bytes are searched for the marks of sources together."""
BLANK = 16
"""White space around the text of a whole file, at most (bytes)."""


class Task(msgspec.Struct, frozen=True):
    """One outer file to read: its acquisitions, the leaf of each, and how many records of each are sealed already.

    ``mappings`` are in force for it.
    """

    path: Path
    acquisitions: tuple[Acquisition, ...]
    leaves: tuple[int, ...]
    consumed: tuple[int, ...]
    limits: Limits
    mappings: tuple[Mapping, ...] = ()


class Unread(msgspec.Struct, frozen=True):
    """A file that could not be read when its turn came; nothing of it was taken."""

    path: str
    problem: str


class FileRead(msgspec.Struct, frozen=True):
    """What an innermost file gave, once it is read to its end.

    ``records`` is of the whole file; ``skips`` are the records of this run that gave no event: for each reason how
    many, and where the first one begins (bytes).
    """

    name: str
    records: int
    skips: tuple[tuple[str, int, int], ...]


Result = Batch | Unread | FileRead


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One record on its way: what the entry says of it, what is kept, and what it means."""

    source: str
    scheme: str
    id: str
    form: str
    kept: bytes | None
    original: bytes
    meaning: tuple[Event, ...] | Skip


def read(task: Task) -> Iterator[Result]:
    """Every batch of a file, in order, and after those of each innermost file what it gave."""
    sources = known_sources(task.mappings)
    wrappings = wrappings_of(sources)
    places = {acquisition.member: position for position, acquisition in enumerate(task.acquisitions)}
    for acquisition, content in open_all(task.path, task.acquisitions, task.limits):
        if isinstance(content, SourceError):
            yield Unread(acquisition.path, str(content))
            continue
        place = places[acquisition.member]
        leaf, consumed = task.leaves[place], task.consumed[place]
        try:
            framed = _logs_only(frame(content, wrappings, task.limits), acquisition)
            start = piece_start(acquisition) or 0
            yield from _batches(framed, leaf, consumed, sources, name_of(acquisition), start)
        except SourceError as error:
            yield Unread(acquisition.path, str(error))


def name_of(acquisition: Acquisition) -> str:
    """A file as people name it: its path, and its member where it lay in a container. A piece is named as its file."""
    if acquisition.member is None or piece_start(acquisition) is not None:
        return acquisition.path
    return f"{acquisition.path}: {acquisition.member}"


def piece_start(acquisition: Acquisition) -> int | None:
    """Where a piece of a growing file begins in it (bytes); None for a whole file or member."""
    return start_of(acquisition.member, acquisition.received, acquisition.content)


def _logs_only(framed: Iterator[Framed], acquisition: Acquisition) -> Iterator[Framed]:
    """Leave out a file that is no log at all: plain text in one piece, under a name that no log has.

    A readme beside the logs is acquired (its hash is sealed) and holds no record; a note of the run says so. What
    begins as JSON does is never left out, whatever its name: it may be a log that was cut. Only of a log are pieces
    taken, so nothing of those is left out.
    """
    if piece_start(acquisition) is not None:
        yield from framed
        return
    for record in framed:
        whole = record.at + acquisition.content_size - record.length <= BLANK
        if whole and record.problem == "not-json" and not (_named_like_a_log(acquisition) or _begins_as_json(record)):
            return
        yield record


def _begins_as_json(record: Framed) -> bool:
    return record.raw is None or record.raw[:64].lstrip(b" \t\r\n\0\xef\xbb\xbf")[:1] in (b"{", b"[", b'"')


def _named_like_a_log(acquisition: Acquisition) -> bool:
    name = (acquisition.member or acquisition.path).lower()
    packed = acquisition.received != acquisition.content and acquisition.member is None
    return packed or name.endswith((".json", ".jsonl", ".ndjson", ".log", ".gz"))


def _batches(
    framed: Iterator[Framed], leaf: int, consumed: int, sources: Sequence[Source], name: str, start: int
) -> Iterator[Batch | FileRead]:
    """Cut a file's records into batches; the last one, empty if need be, says that the file is done.

    ``start`` is where it begins in the file that ``name`` names.
    """
    ordinal = 0
    waiting: list[Framed] = []
    skips: dict[str, tuple[int, int]] = {}
    for record in framed:
        ordinal += 1
        if ordinal <= consumed:
            continue
        waiting.append(record)
        if len(waiting) == BATCH:
            yield _counted(batch(waiting, leaf, ordinal - BATCH, sources, last=False), waiting, skips)
            waiting = []
    yield _counted(batch(waiting, leaf, ordinal - len(waiting), sources, last=True), waiting, skips)
    yield FileRead(name, ordinal, tuple((reason, count, start + at) for reason, (count, at) in skips.items()))


def _counted(found: Batch, framed: Sequence[Framed], skips: dict[str, tuple[int, int]]) -> Batch:
    """``found``, after its skips were added to ``skips``: by reason how many, and where the first one begins."""
    for record, reason in zip(framed, found.skips, strict=True):
        if reason is not None:
            count, first = skips.get(reason, (0, record.at))
            skips[reason] = (count + 1, first)
    return found


def batch(framed: Sequence[Framed], leaf: int, ordinal: int, sources: Sequence[Source], *, last: bool) -> Batch:
    """Make the columns of a batch."""
    found = readings(framed, sources)
    entropy = os.urandom(16 * len(found))
    entries: list[bytes] = []
    salts: list[bytes | None] = []
    for position, (record, reading) in enumerate(zip(framed, found, strict=True)):
        salt = entropy[16 * position : 16 * position + 16]
        kept = sha256(salt + (reading.original if reading.kept is None else reading.kept)).hexdigest()
        entries.append(record_entry(reading.source, reading.scheme, reading.id, kept, leaf, record.at, record.length))
        salts.append(None if reading.kept is None else salt)
    return Batch(
        acquisition=leaf,
        ordinal=ordinal,
        last=last,
        entries=entries,
        leaves=b"".join([leaf_hash(entry) for entry in entries]),
        identity_hashes=[identity_hash(reading.source, reading.id) for reading in found],
        sources=[reading.source for reading in found],
        ids=[reading.id for reading in found],
        forms=[reading.form for reading in found],
        kept=[reading.kept for reading in found],
        salts=salts,
        skips=[reading.meaning.reason if isinstance(reading.meaning, Skip) else None for reading in found],
        parts=parts(found),
    )


def identity_hash(source: str, identity: str) -> int:
    """The first 8 bytes of SHA-256 of source, NUL, identity, as the dedupe index has them."""
    return int.from_bytes(sha256(f"{source}\0{identity}".encode()).digest()[:8], "big")


def readings(framed: Sequence[Framed], sources: Sequence[Source]) -> list[Reading]:
    """Identify by the source that recognises the bytes; what is no record, or nobody's, is read as unknown."""
    found: list[Reading | None] = [None] * len(framed)
    left = [n for n, record in enumerate(framed) if record.problem is None and record.raw is not None]
    together = _together([framed[n].raw or b"" for n in left])
    for source in sources:
        if not left:
            break
        if source.marks and together is not None and not any(mark in together for mark in source.marks):
            continue
        mine = [n for n in left if source.recognise(framed[n].raw or b"")]
        raws = [framed[n].raw or b"" for n in mine]
        for n, raw, identity in zip(mine, raws, source.each(raws), strict=True):
            if identity is not None:
                found[n] = _reading(source, framed[n].form, raw, identity)
        left = [n for n in left if found[n] is None] if mine else left
    return [reading or _unknown(record, sources) for reading, record in zip(found, framed, strict=True)]


def _together(raws: Sequence[bytes]) -> bytes | None:
    """All records in one, for marks to be searched in; None where that would take much memory."""
    return b"\n".join(raws) if sum(map(len, raws)) <= TOGETHER else None


def _reading(source: Source, form: str, raw: bytes, identity: Identity) -> Reading:
    if identity.withheld:
        return _skipped(source.name, identity.scheme, identity.id, None, raw, "withheld")
    kept = mask(raw, identity.secrets) if identity.secrets else raw
    meaning = source.read(kept, form)
    return Reading(
        source=source.name,
        scheme=identity.scheme,
        id=identity.id,
        form=form,
        kept=kept,
        original=raw,
        meaning=meaning,
    )


def _unknown(record: Framed, sources: Sequence[Source]) -> Reading:
    """Bytes that no source understands: identified by their hash, masked by key names, withheld where unsure."""
    if record.raw is None:
        digest = record.digest or b""
        return _skipped(UNKNOWN, UNKNOWN_SCHEME, f"sha256:{digest.hex()}", None, digest, record.problem or "too-large")
    identity = f"sha256:{sha256(record.raw).hexdigest()}"
    kept = _kept_twice(record, sources) or mask_unknown(record.raw)
    reason = record.problem or ("unknown" if kept is not None else "withheld")
    return _skipped(UNKNOWN, UNKNOWN_SCHEME, identity, kept, record.raw, reason)


def _kept_twice(record: Framed, sources: Sequence[Source]) -> bytes | None:
    """A record that is not understood for its duplicate keys alone, masked exactly by the source that knows its kind.

    None where none does, or where a secret of it has no place that could be masked.
    """
    raw = record.raw or b""
    if record.problem != "duplicate-keys":
        return None
    for source in sources:
        identity = source.identify(raw) if source.recognise(raw) else None
        if identity is not None and not identity.withheld:
            return mask(raw, identity.secrets)
    return None


def _skipped(source: str, scheme: str, identity: str, kept: bytes | None, original: bytes, reason: str) -> Reading:
    """A reading that gave no event. Its form carries the reason, so that a rebuild finds it in the sealed segment."""
    return Reading(
        source=source,
        scheme=scheme,
        id=identity,
        form=f"{SKIP_FORM}{reason}",
        kept=kept,
        original=original,
        meaning=Skip(reason),
    )


def meaning_of(source: Source | None, form: str, kept: bytes | None) -> tuple[Event, ...] | Skip:
    """What a sealed record means: the same as on its way in, or better where ``read`` has improved since."""
    if form.startswith(SKIP_FORM):
        return Skip(form.removeprefix(SKIP_FORM))
    if source is None or kept is None:
        return Skip("unknown")
    return source.read(kept, form)


def parts(readings: Sequence[Reading]) -> pa.RecordBatch:
    """The Arrow columns of the readings' meaning; a skip has none."""
    rows = [
        (position, reading.source, reading.id, reading.form, reading.meaning)
        for position, reading in enumerate(readings)
        if not isinstance(reading.meaning, Skip)
    ]
    return to_parts(rows)


def wrappings_of(sources: Sequence[Source]) -> tuple[Declared, ...]:
    """Every wrapping and every framing of text that some source declares."""
    wrappings = [wrapping for source in sources for wrapping in source.wrappings]
    return (*wrappings, *(text for source in sources for text in source.texts))
