"""Segment files: the kept bytes of the record leaves of one commit, as Parquet. The named adapter of pyarrow.

Columns: ``leaf`` int64, ``form`` string, ``salt`` 16 bytes or null, ``kept`` binary or null (null where the payload is
withheld). Rows are in order of leaf, one for every record leaf of [first, end), in row groups of ROW_GROUP rows, so
that one record costs one row group to read. An erased row keeps its leaf alone: ``form`` is ERASED, the rest null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from custody.errors import StoreError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from numpy.typing import NDArray

ROW_GROUP = 1024
SALT_SIZE = 16
COLUMNS = ("leaf", "form", "salt", "kept")
SKIP_FORM = "skip:"
"""How the form of a record begins that gave no event; the reason follows. Only such a row may be without payload."""

ERASED = f"{SKIP_FORM}erased"
"""The form of a row whose payload was there and was erased: a rebuild reads from it why the record gives no event."""


class Kept(msgspec.Struct, frozen=True, gc=False):
    """What the store keeps of a record: ``kept`` and ``salt`` are None where the payload is withheld or erased."""

    leaf: int
    form: str
    salt: bytes | None
    kept: bytes | None


def schema() -> pa.Schema:
    """The Arrow schema of a segment."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("leaf", pa.int64(), nullable=False),
            pa.field("form", pa.dictionary(pa.int32(), pa.string()), nullable=False),
            pa.field("salt", pa.binary(SALT_SIZE)),
            pa.field("kept", pa.binary()),
        ]
    )


def encode(first: int, forms: Sequence[str], salts: Sequence[bytes | None], kept: Sequence[bytes | None]) -> memoryview:
    """The bytes of the segment whose first leaf is ``first``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(_table(first, forms, salts, kept), sink, row_group_size=ROW_GROUP, **_WRITTEN)
    return memoryview(sink.getvalue())


_WRITTEN: Mapping[str, Any] = {
    "compression": {"leaf": "zstd", "form": "zstd", "salt": "none", "kept": "zstd"},
    "compression_level": {"leaf": 1, "form": 1, "kept": 1},
    "use_dictionary": ["form"],
    "column_encoding": {"leaf": "DELTA_BINARY_PACKED"},
    "write_statistics": ["leaf"],
}


def _table(first: int, forms: Sequence[str], salts: Sequence[bytes | None], kept: Sequence[bytes | None]) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    layout = schema()
    columns = [
        pa.array(np.arange(first, first + len(forms), dtype=np.int64)),
        pa.array(forms, pa.string()).dictionary_encode(),
        pa.array(salts, layout.field("salt").type),
        pa.array(kept, layout.field("kept").type),
    ]
    return pa.Table.from_arrays(columns, schema=layout)


def erase(segment: Segment, gone: NDArray[np.bool_]) -> memoryview:
    """The bytes of ``segment`` without the payloads of the rows that are set in ``gone``: a function of the two.

    Memory holds the new file and one row group of the old.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema(), **_WRITTEN) as writer:
        for group in range(segment.groups):
            these = gone[group * ROW_GROUP : (group + 1) * ROW_GROUP].tolist()
            rows = [_erased(row) if away else row for row, away in zip(segment.read(group), these, strict=True)]
            forms, salts, kept = ([getattr(row, name) for row in rows] for name in COLUMNS[1:])
            writer.write_table(_table(rows[0].leaf, forms, salts, kept), row_group_size=ROW_GROUP)
    return memoryview(sink.getvalue())


def _erased(row: Kept) -> Kept:
    return Kept(row.leaf, ERASED, None, None)


class Segment:
    """An open segment file. StoreError where its bytes are not what ``encode`` makes."""

    def __init__(self, source: Path | bytes, *, name: str, rows: int) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.name = name
        try:
            self._file: pq.ParquetFile = pq.ParquetFile(
                pa.BufferReader(source) if isinstance(source, bytes) else source
            )
        except FileNotFoundError:
            raise StoreError("a segment is missing", where=name, advice="Run `custody verify`.") from None
        except (pa.ArrowException, OSError) as error:
            raise _damaged(name, str(error)) from None
        if not self._file.schema_arrow.equals(schema()):
            raise _damaged(name, "other columns")
        self.groups = int(self._file.num_row_groups)
        sizes = [self._file.metadata.row_group(group).num_rows for group in range(self.groups)]
        if sum(sizes) != rows or any(size != ROW_GROUP for size in sizes[:-1]):
            raise _damaged(name, f"{sum(sizes)} rows in groups of {sizes[:1]}, not {rows} of {ROW_GROUP}")

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def read(self, group: int) -> list[Kept]:
        """The rows of one row group, in order."""
        return [Kept(*row) for row in self._rows(group, COLUMNS)]

    def salts(self, group: int) -> list[bytes | None]:
        """The salts of one row group, in order, without touching the payload."""
        return [salt for (salt,) in self._rows(group, ["salt"])]

    def __iter__(self) -> Iterator[Kept]:
        for group in range(self.groups):
            yield from self.read(group)

    def _rows(self, group: int, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        import pyarrow as pa

        try:
            table = self._file.read_row_group(group, columns=list(names), use_threads=False)
            return zip(*(table.column(name).to_pylist() for name in names), strict=True)
        except (pa.ArrowException, OSError, IndexError, UnicodeDecodeError) as error:
            raise _damaged(self.name, str(error)) from None


def _damaged(name: str, found: str) -> StoreError:
    return StoreError("a segment is damaged", where=name, found=found.splitlines()[0][:200] if found else "")
