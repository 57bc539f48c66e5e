"""What is to be said of a record that was erased: when, why, and where the log says so."""

from __future__ import annotations

import msgspec

from custody.model.report import LeafRef
from custody.store.erasure import Erasures

LOG = "operations"


class ErasedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record without its bytes: ``leaf`` is its own, ``statement`` that of the erasure; ``by`` is claimed."""

    leaf: LeafRef
    at: str
    reason: str
    by: str
    statement: LeafRef

    def sentence(self) -> str:
        """The same in words."""
        return f"erased on {self.at}, reason: {self.reason} (leaf {self.statement.index}); its entry and proof stay"


def erased(erasures: Erasures, leaf: int) -> ErasedRecord | None:
    """The erasure of the record at ``leaf``, None where it was not erased."""
    found = erasures.of(leaf)
    if found is None:
        return None
    return ErasedRecord(
        leaf=LeafRef(LOG, leaf),
        at=found.why.at,
        reason=found.why.reason,
        by=found.why.by,
        statement=LeafRef(LOG, found.leaf),
    )
