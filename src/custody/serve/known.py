"""The register as the store has it now, read again when the log has grown."""

from __future__ import annotations

from pathlib import Path

from custody.broker.clock import Clock
from custody.broker.declared import DeclaredRegister
from custody.model.broker_terms import Proof, Registered
from custody.pipeline.registering import documents
from custody.store.reader import Reader


class StoredRegister:
    """``broker.register.Register`` over the documents in the log of a store. ``look`` may block; asking never does."""

    def __init__(self, store: Path, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._leaves: tuple[int, ...] | None = None
        self._now = DeclaredRegister((), clock.now())

    def look(self) -> bool:
        """Read what was imported since; gives whether the register says something else now.

        StoreError where the log cannot be read: what was read before holds on.
        """
        with Reader.open(self._store) as reader:
            leaves = tuple(each.leaf for each in reader.statements(documents.REGISTER))
            sealed = documents.sealed(reader)
        changed = leaves != self._leaves
        self._leaves = leaves
        self._now = DeclaredRegister(sealed, self._clock.now())
        return changed

    def find(self, proof: Proof) -> Registered | None:
        """The one identity that the workload is an instance of."""
        return self._now.find(proof)

    def knows(self, identity: str) -> bool:
        """Whether a document in force declares an identity of this id."""
        return self._now.knows(identity)

    def signed_since(self, identity: str, since: int) -> int | None:
        """The leaf of a signed version after ``since`` that declares the identity."""
        return self._now.signed_since(identity, since)
