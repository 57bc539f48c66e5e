"""One event: its record, its leaf, what is kept of it and what it means."""

from __future__ import annotations

import base64
from collections.abc import Callable

import msgspec

from custody.errors import NotFound
from custody.ledger.entry import AcquisitionEntry, RecordEntry
from custody.model.events import Event, Skip
from custody.model.report import LeafRef
from custody.pipeline import mappings
from custody.pipeline.erasing.erased import ErasedRecord, erased
from custody.pipeline.intake import meaning_of
from custody.settings.catalog import Settings
from custody.sources.source import Source
from custody.store.reader import Reader
from custody.store.segments import ERASED

LOG = "operations"


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A record as sealed. ``kept`` is base64 and ``salt`` hex, None where the payload is withheld or ``erased``."""

    source: str
    scheme: str
    id: str
    leaf: LeafRef
    form: str
    kept: str | None
    salt: str | None
    kept_sha256: str
    file: str
    member: str | None
    file_leaf: LeafRef
    at: int
    length: int
    acquired: str
    events: tuple[Event, ...]
    skip: Skip | None
    erased: ErasedRecord | None = None

    def raw(self) -> bytes | None:
        """The kept bytes."""
        return None if self.kept is None else base64.b64decode(self.kept)


def show(settings: Settings, query: str) -> tuple[Shown, ...]:
    """Every sealed value of a record identity, or the record at a leaf (``operations:1204`` or ``1204``)."""
    with Reader.open(settings.store) as reader:
        source_of = mappings.source_of_entry(mappings.sealed(reader))
        return tuple(_shown(reader, leaf, source_of) for leaf in leaves_of(reader, query))


def leaves_of(reader: Reader, query: str) -> list[int]:
    """The leaves that an event id, a leaf number or a record identity names; NotFound where there are none."""
    number = query.removeprefix(f"{LOG}:")
    if number.isascii() and number.isdigit() and int(number) < reader.size:
        return [int(number)]
    names = (*mappings.names(mappings.sealed(reader)), "unknown")
    leaves = sorted(leaf for name in names for leaf in reader.find(name, query))
    if not leaves:
        raise NotFound(
            "no record has this identity",
            where=query,
            expected="an event id, a record identity, or a leaf below the log's size",
        )
    return leaves


def _shown(reader: Reader, leaf: int, source_of: Callable[[RecordEntry], Source | None]) -> Shown:
    entry = reader.entry(leaf)
    if not isinstance(entry, RecordEntry):
        raise NotFound("the leaf is not a record's", where=f"{LOG}:{leaf}", found=type(entry).__name__)
    kept = reader.kept(leaf)
    acquisition = reader.entry(entry.file)
    assert isinstance(acquisition, AcquisitionEntry)
    meaning = meaning_of(source_of(entry), kept.form, kept.kept)
    return Shown(
        source=entry.source,
        scheme=entry.scheme,
        id=entry.id,
        leaf=LeafRef(LOG, leaf),
        form=kept.form,
        kept=None if kept.kept is None else base64.b64encode(kept.kept).decode(),
        salt=None if kept.salt is None else kept.salt.hex(),
        kept_sha256=entry.kept,
        file=acquisition.path,
        member=acquisition.member,
        file_leaf=LeafRef(LOG, entry.file),
        at=entry.at,
        length=entry.length,
        acquired=acquisition.at,
        events=() if isinstance(meaning, Skip) else meaning,
        skip=meaning if isinstance(meaning, Skip) else None,
        erased=erased(reader.erasures(), leaf) if kept.form == ERASED else None,
    )
