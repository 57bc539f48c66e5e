"""The derived tables anew, from nothing but the sealed records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from custody import __version__
from custody.model.events import Event, Skip
from custody.model.report import Report, Run
from custody.pipeline import refresh
from custody.pipeline.audit import Observer, Progress, now
from custody.pipeline.intake import meaning_of
from custody.settings.catalog import Settings
from custody.sources.columns import to_parts
from custody.sources.registry import sources
from custody.store.history import Closed
from custody.store.layout import range_name
from custody.store.parts import encode_events, encode_skips
from custody.store.reader import Reader
from custody.store.writer import Writer

CHUNK = 8192


def rebuild(settings: Settings, observer: Observer) -> Report:
    """Read every sealed record again, make the chains, judge them, and publish the tables."""
    contract = refresh.load_contract(settings)
    progress = Progress(stage="rebuilding")
    with Writer.open(settings.store, settings.keys, now=now(), version=__version__) as writer:
        refresh.seal_contract(writer, contract, now())
        folder = writer.fresh_derived()
        with Reader.open(settings.store) as reader:
            segments = reader.segments()
            progress.files = len(segments)
            parts: list[str] = []
            for closed in segments:
                parts += _segment(reader, closed, folder)
                progress.done += 1
                progress.records += closed.end - closed.first
                observer(progress)
        progress.stage = "joining"
        observer(progress)
        report = refresh.publish(writer, settings, contract, folder, parts)
    return msgspec.structs.replace(report, checkpoint=refresh.sealed(settings), run=Run(derived="rebuilt"))


def _segment(reader: Reader, closed: Closed, folder: Path) -> list[str]:
    """Write the events and skips files of one commit into ``folder``; gives their names."""
    import numpy as np

    names: list[str] = []
    pieces = []
    skips: list[tuple[int, str, str, str]] = []
    for chunk in _meanings(reader, closed):
        leaves = np.array([leaf for leaf, *_ in chunk], np.int64)
        rows = []
        for row, (leaf, source, identity, form, meaning) in enumerate(chunk):
            if isinstance(meaning, Skip):
                skips.append((leaf, source, identity, meaning.reason))
            else:
                rows.append((row, source, identity, form, meaning))
        pieces.append((to_parts(rows), leaves))
    events = encode_events(pieces)
    skipped = encode_skips(*zip(*skips, strict=True)) if skips else None
    for kind, data in (("events", events), ("skips", skipped)):
        if data is not None:
            path = folder / kind / range_name(closed.first, closed.end)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
            names.append(f"{kind}/{path.name}")
    return names


Meaning = tuple[int, str, str, str, tuple[Event, ...] | Skip]


def _meanings(reader: Reader, closed: Closed) -> Iterator[list[Meaning]]:
    known = {source.name: source for source in sources()}
    chunk: list[Meaning] = []
    for entry, kept in reader.records(closed):
        meaning = meaning_of(known.get(entry.source), kept.form, kept.kept)
        chunk.append((kept.leaf, entry.source, entry.id, kept.form, meaning))
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
