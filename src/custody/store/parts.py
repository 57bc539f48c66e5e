"""The typed meaning of records on disk, as Parquet: events (a row a part) and skips. The named adapter of pyarrow.

``events/<first>-<end>.parquet`` has the columns of ``model.records.PARTS_COLUMNS`` with ``row`` replaced by ``leaf``
(int64) as the first. ``skips/<first>-<end>.parquet`` has ``leaf`` int64, ``source``, ``event`` (the
record identity) and ``reason``. Both are derived:
the kept bytes give them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from custody.errors import StoreError
from custody.model.records import PARTS_COLUMNS

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

UNIQUE_COLUMNS = ("leaf", "event", "time", "request_id")
"""Columns in which hardly a value comes twice: a dictionary would only cost."""


def parts_schema() -> pa.Schema:
    """The Arrow schema of a Batch's ``parts``."""
    import pyarrow as pa

    return pa.schema([(name, pa.type_for_alias(kind)) for name, kind in PARTS_COLUMNS.items()])


def events_schema() -> pa.Schema:
    """The Arrow schema of an events file."""
    import pyarrow as pa

    fields = [(name, pa.type_for_alias(kind)) for name, kind in PARTS_COLUMNS.items() if name != "row"]
    return pa.schema([("leaf", pa.int64()), *fields])


def encode_events(pieces: Sequence[tuple[pa.RecordBatch, NDArray[np.int64]]]) -> memoryview | None:
    """The events file of batches, each with the leaf of every row of it (-1 where it is not sealed); None if empty.

    StoreError where the columns are not those of PARTS_COLUMNS.
    """
    import numpy as np
    import pyarrow as pa

    tables = []
    for parts, leaf_of_row in pieces:
        if not parts.num_rows:
            continue
        if not parts.schema.equals(parts_schema()):
            raise StoreError("a batch with other columns than a part has", found=", ".join(parts.schema.names)[:500])
        leaves = leaf_of_row[parts.column(0).to_numpy(zero_copy_only=False)]
        table = pa.Table.from_arrays([pa.array(leaves), *parts.columns[1:]], schema=events_schema())
        tables.append(table if leaves.min() >= 0 else table.filter(pa.array(np.greater_equal(leaves, 0))))
    table = pa.concat_tables(tables) if tables else events_schema().empty_table()
    return _parquet(table) if table.num_rows else None


def encode_skips(
    leaves: Sequence[int], sources: Sequence[str], ids: Sequence[str], reasons: Sequence[str]
) -> memoryview | None:
    """The skips file of the records at ``leaves``; None if there are none."""
    import pyarrow as pa

    columns = [pa.array(leaves, pa.int64()), *(pa.array(texts, pa.string()) for texts in (sources, ids, reasons))]
    return _parquet(pa.Table.from_arrays(columns, names=["leaf", "source", "event", "reason"])) if leaves else None


def _parquet(table: pa.Table) -> memoryview:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    names = [name for name in table.schema.names if name not in UNIQUE_COLUMNS]
    pq.write_table(table, sink, compression="zstd", compression_level=1, use_dictionary=names)
    return memoryview(sink.getvalue())
