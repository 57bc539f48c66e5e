"""The C2SP proof that a record is in the log, for anybody to check."""

from __future__ import annotations

from pathlib import Path

import msgspec

from custody.errors import UsageError
from custody.model.report import LeafRef
from custody.pipeline import output
from custody.pipeline.erasing.erased import ErasedRecord, erased
from custody.pipeline.show import LOG, leaves_of
from custody.settings.catalog import Settings
from custody.store.reader import Reader


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What was written, and for which leaf of which log. ``text`` is the proof where it went into no file.

    ``erased`` says that the bytes of the record are gone: the proof is of its entry, which commits to them.
    """

    leaf: LeafRef
    size: int
    origin: str
    proof: str | None
    entry: str | None
    text: str | None = None
    erased: ErasedRecord | None = None


def prove(settings: Settings, query: str, proof: Path | None, entry: Path | None) -> tuple[Proof, bytes]:
    """Write the proof and, where asked, the sealed entry; gives both what was written and the proof's bytes."""
    with Reader.open(settings.store) as reader:
        leaves = leaves_of(reader, query)
        if len(leaves) > 1:
            found = ", ".join(f"{LOG}:{leaf}" for leaf in leaves)
            raise UsageError(
                "several values were sealed under this identity", where=query, found=found, advice="name a leaf"
            )
        data = reader.proof(leaves[0])
        if proof is not None:
            output.write(proof, data)
        if entry is not None:
            output.write(entry, reader.raw_entry(leaves[0]))
        return (
            Proof(
                leaf=LeafRef(LOG, leaves[0]),
                size=reader.size,
                origin=reader.checkpoint().origin,
                proof=None if proof is None else str(proof),
                entry=None if entry is None else str(entry),
                text=data.decode() if proof is None else None,
                erased=erased(reader.erasures(), leaves[0]),
            ),
            data,
        )
