"""Events as Arrow columns: the named adapter between typed events and pyarrow.

The columns are exactly those of ``model.records.PARTS_COLUMNS``, one row a part. An event without a part still gives
one row, with a null stage, so that a search finds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING

from custody.model.events import Event
from custody.model.records import PARTS_COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

Row = tuple[int, str, str, str, tuple[Event, ...]]
"""Index of the record in its batch, source, record identity, form, events."""

_PLACE = ("row", "source", "event", "form")
_PART = (
    "stage", "key", "parent", "subject", "session_name", "workload", "granularity", "bound_by", "method", "not_after",
    "effect", "object", "related", "cutoff", "alias", "population", "asserter",
)  # fmt: skip
_EVENT = tuple(name for name in PARTS_COLUMNS if name not in _PLACE and name not in _PART)
_OF_EVENT = attrgetter(*_EVENT)
_OF_PART = attrgetter(*_PART)
_NO_PART = (None,) * len(_PART)


def to_parts(rows: Sequence[Row]) -> pa.RecordBatch:
    """The parts of all events of ``rows``, in order, as one record batch."""
    import pyarrow as pa

    columns = pa.array(list(_values(rows)), _type())
    return pa.RecordBatch.from_struct_array(columns).select(list(PARTS_COLUMNS))


@cache
def _type() -> pa.StructType:
    """One row as one value: a single call makes all columns, which a small file of many columns notices most."""
    import pyarrow as pa

    return pa.struct([(name, pa.type_for_alias(PARTS_COLUMNS[name])) for name in (*_PLACE, *_EVENT, *_PART)])


def _values(rows: Sequence[Row]) -> Iterator[tuple[object, ...]]:
    for row, source, identity, form, events in rows:
        for event in events:
            place = (row, source, identity, form, *_OF_EVENT(event))
            for part in event.parts or (None,):
                yield place + (_NO_PART if part is None else _OF_PART(part))
