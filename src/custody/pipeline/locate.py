"""From a file to the log: for each source record, the leaf at which it is sealed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from custody.errors import SourceError
from custody.model.records import Acquisition, Framed
from custody.model.report import LeafRef
from custody.pipeline import intake, mappings
from custody.pipeline.audit import limits_of
from custody.pipeline.erasing.erased import ErasedRecord, erased
from custody.pipeline.mappings import Sealed
from custody.pipeline.show import LOG
from custody.readers.content import open_contents
from custody.readers.framing import frame
from custody.readers.limits import Limits
from custody.readers.survey import survey
from custody.settings.catalog import Settings
from custody.sources.mapped.mapping import Mapping
from custody.sources.registry import sources
from custody.sources.source import Source
from custody.store.reader import Reader
from custody.store.segments import ERASED
from custody.store.values import same_value


class Located(msgspec.Struct, frozen=True, kw_only=True):
    """One source record. ``leaf`` is None where it is not in the store; ``own`` says that the leaf cites this file.

    ``erased`` says that the record at the leaf has no bytes any more: then the identity alone is compared.
    """

    member: str | None
    at: int
    length: int
    source: str
    id: str
    leaf: LeafRef | None
    own: bool
    erased: ErasedRecord | None = None


def locate(settings: Settings, path: Path) -> tuple[tuple[Located, ...], tuple[str, ...]]:
    """Every record of a file with its leaf, and what could not be read of it."""
    limits = limits_of(settings)
    found = survey(path, limits)
    problems = [str(each) for each in found if isinstance(each, SourceError)]
    whole = [each for each in found if isinstance(each, Acquisition)]
    with Reader.open(settings.store) as reader:
        located = tuple(_records(reader, path, whole, limits, problems, mappings.held(settings)))
    return located, tuple(problems)


def _ways(found: Sequence[Sealed], held: tuple[Mapping, ...], leaf: int | None) -> list[tuple[Source, ...]]:
    """The sources that are tried in turn for a record of a file acquired at ``leaf``, None where it is not known.

    First those with the mappings in force then, or now; then with each other mapping alone; then without any.
    """
    first = held if leaf is None else mappings.newest(found, leaf)
    others = [one for one in (*held, *mappings.every(found)[::-1]) if one not in first]
    return [sources(first), *(sources((one,)) for one in dict.fromkeys(others)), sources()]


def _records(
    reader: Reader,
    path: Path,
    whole: list[Acquisition],
    limits: Limits,
    problems: list[str],
    held: tuple[Mapping, ...],
) -> Iterator[Located]:
    found = mappings.sealed(reader)
    leaves = {(known.received, known.member): known.leaf for known in reader.acquisitions()} if found else {}
    for acquisition, content in open_contents(path, whole, limits):
        if isinstance(content, SourceError):
            problems.append(str(content))
            continue
        ways = _ways(found, held, leaves.get((acquisition.received, acquisition.member)))
        for framed in frame(content, intake.wrappings_of(ways[0]), limits):
            yield _first(_located(reader, acquisition, framed, way) for way in ways)


def _first(tried: Iterator[Located]) -> Located:
    """The first that is sealed, else the first."""
    first = next(tried)
    return first if first.leaf is not None else next((one for one in tried if one.leaf is not None), first)


def _located(reader: Reader, acquisition: Acquisition, framed: Framed, known: Sequence[Source]) -> Located:
    (reading,) = intake.readings([framed], known)
    leaf, own, gone = None, False, None
    for candidate in sorted(reader.find(reading.source, reading.id), key=lambda one: reader.kept(one).form == ERASED):
        kept = reader.kept(candidate)
        if kept.kept is None or reading.kept is None or same_value(kept.kept, reading.kept):
            leaf = LeafRef(LOG, candidate)
            entry = reader.record(candidate)
            own = entry.at == framed.at and reader.content_of(entry.file) == acquisition.content
            gone = erased(reader.erasures(), candidate) if kept.form == ERASED else None
            break
    return Located(
        member=acquisition.member,
        at=framed.at,
        length=framed.length,
        source=reading.source,
        id=reading.id,
        leaf=leaf,
        own=own,
        erased=gone,
    )
