"""What the sealed log holds of a broker: the leaf of a line, how far it reaches, and its entries in order."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from custody.errors import StoreError
from custody.model.brokered import DECODER, SOURCE, Entry
from custody.pipeline.brokering.places import epoch_folder
from custody.store.history import Known
from custody.store.reader import Reader


def leaf_of(reader: Reader, broker: str, seq: int) -> int | None:
    """The leaf of a broker's line, None where none of its own epochs with it is sealed.

    A line that somebody's audit sealed before, with the same value, is at that leaf: it is there once.
    """
    own = {each.leaf for each in _epochs(reader, broker) if _first(each) <= seq <= _last(each)}
    leaves = reader.find(SOURCE, f"{broker}/{seq}") if own else []
    return next((leaf for leaf in leaves if reader.record(leaf).file in own), leaves[0] if leaves else None)


def through(reader: Reader, broker: str) -> int:
    """The last ``seq`` up to which the epochs in the log leave no gap; 0 where there is none."""
    reached = 0
    for known in _epochs(reader, broker):
        if _first(known) <= reached + 1:
            reached = max(reached, _last(known))
    return reached


def entries(reader: Reader, broker: str, after: int) -> Iterator[Entry]:
    """The sealed entries of a broker with a ``seq`` greater than ``after``, in order, each once.

    StoreError where the payload of one is gone or cannot be read.
    """
    own = {each.leaf for each in _epochs(reader, broker) if _last(each) > after}
    for closed in reader.segments():
        if own.isdisjoint(reader.files_of(closed.leaf)):
            continue
        for record, kept in reader.records(closed):
            if record.file in own and record.source == SOURCE:
                entry = _entry(kept.kept, f"operations:{kept.leaf}")
                if entry.seq > after:
                    after = entry.seq
                    yield entry


def _epochs(reader: Reader, broker: str) -> list[Known]:
    """The acquisitions of the broker's own epochs, in order of their first line."""
    folder = epoch_folder(broker)
    own = [each for each in reader.acquisitions() if each.path.startswith(folder) and each.member is None]
    return sorted((each for each in own if _first(each)), key=lambda each: (_first(each), each.leaf))


def _first(known: Known) -> int:
    """The ``seq`` in the name of an epoch; 0 where the name is none."""
    digits = known.path.rpartition("/")[2].removesuffix(".ndjson")
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _last(known: Known) -> int:
    return _first(known) + known.records - 1


def _entry(kept: bytes | None, where: str) -> Entry:
    try:
        return DECODER.decode(kept or b"")
    except msgspec.MsgspecError:
        raise StoreError("a sealed entry of the broker cannot be read", where=where, expected="its line") from None
