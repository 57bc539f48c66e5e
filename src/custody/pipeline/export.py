"""What the store knows, in the forms that other tools take: OCSF, OSCAL and CSV, to a file, a stream or a URL."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from custody.errors import UsageError
from custody.model.report import CheckpointRef
from custody.pipeline import output
from custody.pipeline.credential_table import credential_rows
from custody.pipeline.sending import Sender
from custody.pipeline.tables import Answers, answers
from custody.reports import csv_tables, ocsf, oscal
from custody.settings.catalog import Settings

MEDIA_TYPES: dict[str, str] = {
    "ocsf": "application/x-ndjson",
    "ocsf-findings": "application/x-ndjson",
    "oscal": "application/json",
    "oscal-catalog": "application/json",
    "csv": "text/csv; charset=utf-8; header=present",
}
FORMATS = tuple(MEDIA_TYPES)
BY_LINE = ("ocsf", "ocsf-findings")
"""Formats of which every line stands for itself, so that they can be sent a batch at a time."""

TABLES = ("findings", "credentials", "identities", "population")
CATALOGS = tuple(name.removesuffix(".json") for name in oscal.catalogs())
Progress = Callable[[int], None]
EVERY = 1000
"""Pieces between two calls of ``progress``."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to export.

    ``table`` is one of TABLES for ``csv``, one of CATALOGS for ``oscal-catalog``. ``since`` is the first leaf and
    ``since_time`` (µs) the first time of event that is wanted, both of events alone.
    """

    form: str
    table: str | None = None
    since: int | None = None
    since_time: int | None = None


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was exported. ``next`` is the leaf to go on from: the size of the log that was exported.

    ``batches`` and ``retries`` are of what was sent, ``lines`` counts objects or rows (a document is one, the
    names above a table are none).
    """

    format: str
    table: str | None
    to: str
    as_of: str | None
    checkpoint: CheckpointRef | None
    since: int | None
    next: int | None
    lines: int
    bytes: int
    sha256: str
    batches: int | None = None
    retries: int | None = None


class Pieces:
    """An iterator over what is exported that keeps its count, size and digest."""

    def __init__(self, chunks: Iterable[bytes], progress: Progress) -> None:
        self.lines = self.bytes = 0
        self._chunks, self._progress, self._digest = chunks, progress, hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.lines += 1
            self.bytes += len(chunk)
            self._digest.update(chunk)
            if self.lines % EVERY == 0:
                self._progress(self.lines)
            yield chunk
        self._progress(self.lines)

    @property
    def sha256(self) -> str:
        """The digest (hex) of what went by."""
        return self._digest.hexdigest()


def checked(wanted: Wanted) -> Wanted:
    """``wanted`` with the table that it means; UsageError where its parts do not fit."""
    tables = {"csv": TABLES, "oscal-catalog": CATALOGS}.get(wanted.form, ())
    if wanted.table is not None and wanted.table not in tables:
        expected = f"one of {', '.join(tables)}" if tables else "none: only csv and oscal-catalog have tables"
        raise UsageError("no such table of this format", where="--table", found=wanted.table, expected=expected)
    if wanted.form != "ocsf" and (wanted.since is not None or wanted.since_time is not None):
        raise UsageError("only events have a beginning", where="--since", found=wanted.form, expected="--format ocsf")
    return msgspec.structs.replace(wanted, table=wanted.table or next(iter(tables), None))


def to_file(settings: Settings, wanted: Wanted, path: Path, progress: Progress) -> Exported:
    """Write a file, whole or not at all."""
    output.check(path)
    return _export(settings, wanted, str(path), lambda pieces: output.write_stream(path, pieces), progress)


def to_stdout(settings: Settings, wanted: Wanted, progress: Progress) -> Exported:
    """Write to stdout, piece by piece."""
    exported = _export(settings, wanted, "stdout", sys.stdout.buffer.writelines, progress)
    sys.stdout.buffer.flush()
    return exported


def to_url(settings: Settings, wanted: Wanted, sender: Sender, progress: Progress) -> Exported:
    """Send by POST: lines in batches, a document or table whole. UsageError where that fails, with how far it came."""

    def send(pieces: Iterable[bytes]) -> None:
        media_type = MEDIA_TYPES[wanted.form]
        if wanted.form in BY_LINE:
            sender.lines(pieces, media_type)
        else:
            sender.whole(pieces, media_type)

    exported = _export(settings, wanted, sender.shown, send, progress)
    return msgspec.structs.replace(exported, batches=sender.batches, retries=sender.retries)


def _export(
    settings: Settings, wanted: Wanted, to: str, sink: Callable[[Iterable[bytes]], None], progress: Progress
) -> Exported:
    wanted = checked(wanted)
    with answers(settings) as tables:
        checkpoint = tables.report.checkpoint
        size = 0 if checkpoint is None else checkpoint.size
        if wanted.since is not None and wanted.since > size:
            raise UsageError(
                "past the end of the log: is this the store that was exported before?",
                where="--since",
                found=str(wanted.since),
                expected=f"at most {size}",
            )
        pieces = Pieces(chunks(tables, wanted), progress)
        sink(pieces)
        return Exported(
            format=wanted.form,
            table=wanted.table,
            to=to,
            as_of=tables.report.as_of,
            checkpoint=checkpoint,
            since=wanted.since,
            next=size if wanted.form == "ocsf" else None,
            lines=pieces.lines - (wanted.form == "csv"),
            bytes=pieces.bytes,
            sha256=pieces.sha256,
        )


def chunks(tables: Answers, wanted: Wanted) -> Iterable[bytes]:
    """What is exported, in pieces: a line or row each, or one document."""
    match wanted.form:
        case "ocsf":
            return _events(tables, wanted)
        case "ocsf-findings":
            return ocsf.findings(tables.report)
        case "oscal":
            return [oscal.assessment_results(tables.report, controls=controls(tables))]
        case "oscal-catalog":
            return [oscal.catalogs()[f"{wanted.table}.json"]]
    return _table(tables, wanted.table)


def controls(tables: Answers) -> tuple[str, ...]:
    """The controls that the rules speak to, each once."""
    return tuple(dict.fromkeys(name for rule in tables.rules for name in rule.controls))


def _events(tables: Answers, wanted: Wanted) -> Iterator[bytes]:
    """The events, then the holes. Holes are of the whole store: they have no leaf, and an id that stays."""
    tables.all_parts()
    size = 0 if tables.report.checkpoint is None else tables.report.checkpoint.size
    where = [f"leaf < {size}"]
    if wanted.since is not None:
        where.append(f"leaf >= {wanted.since}")
    if wanted.since_time is not None:
        where.append(f'"time" >= {wanted.since_time}')
    yield from ocsf.events(tables.engine, tables.report, " AND ".join(where))
    yield from ocsf.holes(tables.report)


def _table(tables: Answers, name: str | None) -> Iterator[bytes]:
    match name:
        case "credentials":
            return csv_tables.credential_rows(credential_rows(tables))
        case "identities":
            return csv_tables.identities(tables.engine)
        case "population":
            return csv_tables.population(tables.report)
    return csv_tables.findings(tables.report)
