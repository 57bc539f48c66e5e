"""The typed parts of every sealed record once more, from the kept bytes alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from custody.ledger.entry import RecordEntry
from custody.model.events import Event, Skip
from custody.pipeline import mappings
from custody.pipeline.intake import meaning_of
from custody.sources.columns import to_parts
from custody.sources.source import Source
from custody.store.history import Closed
from custody.store.layout import range_name
from custody.store.parts import encode_events, encode_skips
from custody.store.reader import Reader

CHUNK = 8192

SourceOf = Callable[[RecordEntry], Source | None]


def reread(reader: Reader, folder: Path, done: Callable[[Closed], None]) -> list[str]:
    """Write the events and skips files of every commit into ``folder``; gives their names. ``done`` follows."""
    names: list[str] = []
    source_of = mappings.source_of_entry(mappings.sealed(reader))
    for closed in reader.segments():
        names += _segment(reader, closed, folder, source_of)
        done(closed)
    return names


def _segment(reader: Reader, closed: Closed, folder: Path, source_of: SourceOf) -> list[str]:
    """Write the events and skips files of one commit into ``folder``; gives their names."""
    import numpy as np

    names: list[str] = []
    pieces = []
    skips: list[tuple[int, str, str, str]] = []
    for chunk in _meanings(reader, closed, source_of):
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


def _meanings(reader: Reader, closed: Closed, source_of: SourceOf) -> Iterator[list[Meaning]]:
    chunk: list[Meaning] = []
    for entry, kept in reader.records(closed):
        meaning = meaning_of(source_of(entry), kept.form, kept.kept)
        chunk.append((kept.leaf, entry.source, entry.id, kept.form, meaning))
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
