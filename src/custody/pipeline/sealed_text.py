"""A text that is sealed whole, so that what follows from it can be recomputed from the log alone.

A long text takes several statements: ``<what>-part`` with a piece each, then ``<what>`` with the hash of the text and
the number of pieces. Pieces that a run left behind when it was cut off belong to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Protocol

from custody.errors import StoreError
from custody.pipeline.contracts import PIECE
from custody.store.history import Said


class Sealing(Protocol):
    """What seals a statement and gives its leaf: the writer of either log."""

    def seal(self, what: str, fields: Mapping[str, object]) -> int:
        """Seal ``fields`` as a statement ``what``."""
        ...


class Told(Protocol):
    """What gives the statements of a log."""

    def statements(self, what: str) -> list[Said]:
        """Those of a kind, in order of leaf."""
        ...


def seal(writer: Sealing, what: str, data: bytes, fields: Mapping[str, object]) -> int:
    """Seal ``data``, which is UTF-8, as statements ``what``: ``fields`` go into the last, whose leaf it gives."""
    text, digest = data.decode(), sha256(data).hexdigest()
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)] or [""]
    for number, piece in enumerate(pieces):
        writer.seal(f"{what}-part", {"sha256": digest, "piece": number, "text": piece})
    return writer.seal(what, {"sha256": digest, "pieces": len(pieces), **fields})


def digest(data: bytes) -> str:
    """The SHA-256 (hex) by which a sealed text is named."""
    return sha256(data).hexdigest()


def read(reader: Told, said: Said, log: str = "operations") -> bytes:
    """The text that the statement ``said`` of ``log`` closes. StoreError where its pieces do not give its hash."""
    what, fields = said.entry.what, said.entry.fields
    digest, count = fields.get("sha256"), fields.get("pieces")
    pieces = [
        part.entry.fields.get("text")
        for part in reader.statements(f"{what}-part")
        if part.leaf < said.leaf and part.entry.fields.get("sha256") == digest
    ]
    chosen = pieces[-count:] if isinstance(count, int) and count > 0 else []
    data = "".join(map(str, chosen)).encode()
    if sha256(data).hexdigest() != digest:
        where = f"{log}:{said.leaf}"
        raise StoreError(f"a sealed {what} is not whole", where=where, advice="`custody verify` says what is wrong.")
    return data
