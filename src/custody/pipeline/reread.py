"""The typed parts of every sealed record once more, from the kept bytes alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from custody.model.events import Event, Skip
from custody.pipeline.intake import meaning_of
from custody.sources.columns import to_parts
from custody.sources.registry import sources
from custody.store.history import Closed
from custody.store.layout import range_name
from custody.store.parts import encode_events, encode_skips
from custody.store.reader import Reader

CHUNK = 8192


def reread(reader: Reader, folder: Path, done: Callable[[Closed], None]) -> list[str]:
    """Write the events and skips files of every commit into ``folder``; gives their names. ``done`` follows."""
    names: list[str] = []
    for closed in reader.segments():
        names += _segment(reader, closed, folder)
        done(closed)
    return names


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
