"""Which records of a commit are new. A hit in the index is only a candidate: it is confirmed in full.

The identity is (source, id). A record whose identity is known and whose kept bytes have the same JSON value as one of
the values sealed for it is a duplicate; with another value it is a conflict, and sealed too. Where the payload is
withheld on either side the identity decides, because it is then a hash of the bytes. Where it was erased it decides
too: the value cannot be compared any more, and what had to go does not come back under the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from custody.errors import StoreError
from custody.ledger.entry import RecordEntry, decode
from custody.model.records import Batch
from custody.store.payloads import Payloads
from custody.store.segments import ERASED
from custody.store.values import fingerprint

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from custody.store.index import Index


FEW = 4
"""Sealed values of one identity that are tried by their digest before the payloads are read."""


class Piece(msgspec.Struct, frozen=True):
    """The records [start, stop) of a batch."""

    batch: Batch
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


class Decided(msgspec.Struct, frozen=True):
    """Which records are sealed, in order (None: all of them), and how many of these conflict with an earlier value.

    ``erased`` are those that are not sealed because a record of their identity was erased.
    """

    sealed: NDArray[np.bool_] | None
    conflicts: int
    erased: int = 0


def decide(pieces: Sequence[Piece], index: Index, entry: Callable[[int], bytes], payloads: Payloads) -> Decided:
    """Decide for the records of ``pieces``, in order; ``entry`` and ``payloads`` read what the log has."""
    import numpy as np

    hashes = np.concatenate([np.array(p.batch.identity_hashes[p.start : p.stop], np.uint64) for p in pieces])
    unique, group_of, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    groups, leaves = index.lookup(unique)
    suspicious = counts > 1
    suspicious[groups] = True
    numbers = np.flatnonzero(suspicious[group_of])
    if not numbers.size:
        return Decided(None, 0)
    records = _Records(pieces)
    stored = _stored_values(leaves.tolist(), entry, payloads)
    return _settle(records, numbers.tolist(), len(hashes), stored)


def _settle(
    records: _Records, numbers: Sequence[int], total: int, stored: Mapping[tuple[str, str], _Sealed]
) -> Decided:
    import numpy as np

    sealed = np.ones(total, dtype=bool)
    conflicts = 0
    matched, erased = _match(records, numbers, stored)
    seen: dict[tuple[str, str], _Seen] = {}
    for number in numbers:
        identity, kept = records.identity(number), records.kept(number)
        earlier = seen.setdefault(identity, _Seen())
        if matched[number] or earlier.holds(kept):
            sealed[number] = False
            continue
        conflicts += identity in stored or not earlier.empty
        earlier.add(kept)
    return Decided(sealed, conflicts, erased)


def _match(
    records: _Records, numbers: Sequence[int], stored: Mapping[tuple[str, str], _Sealed]
) -> tuple[dict[int, bool], int]:
    """Whether each record has a value that is sealed already, and how many have one that was erased.

    In order of leaf, so that row groups are read once.
    """
    matched = dict.fromkeys(numbers, False)
    erased = 0
    known = [(stored[identity], number) for number in numbers if (identity := records.identity(number)) in stored]
    for values, number in sorted(known, key=lambda pair: (pair[0].first, pair[1])):
        matched[number] = values.holds(records.kept(number))
        erased += values.erased
    return matched, erased


def _stored_values(
    leaves: Iterable[int], entry: Callable[[int], bytes], payloads: Payloads
) -> dict[tuple[str, str], _Sealed]:
    """What is sealed for each identity at ``leaves``, by the entries themselves."""
    values: dict[tuple[str, str], _Sealed] = {}
    for leaf in sorted(set(leaves)):
        record = decode(entry(leaf))
        if not isinstance(record, RecordEntry):
            raise StoreError("the index points at an entry that is not a record", where=f"leaf {leaf}")
        values.setdefault((record.source, record.id), _Sealed(payloads)).add(leaf, record.kept)
    return values


class _Sealed:
    """The values in the log of one identity. Equal bytes are settled by the sealed digest and the salt alone."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads
        self._leaves: list[tuple[int, str]] = []
        self._prints: set[bytes] | None = None
        self._withheld = False
        self.erased = False
        """Whether it was an erased payload that could not be compared."""

    @property
    def first(self) -> int:
        """The lowest leaf."""
        return self._leaves[0][0]

    def add(self, leaf: int, digest: str) -> None:
        self._leaves.append((leaf, digest))

    def holds(self, kept: bytes | None) -> bool:
        """Whether one of the values is ``kept``'s."""
        if kept is None or self._withheld:
            return True
        for leaf, digest in self._leaves[:FEW]:
            salt = self._payloads.salt(leaf)
            if salt is None:
                self._withheld = True
                self.erased = self._payloads.kept(leaf).form == ERASED
                return True
            if sha256(salt + kept).hexdigest() == digest:
                return True
        if self._prints is None:
            payloads = [self._payloads.kept(leaf) for leaf, _ in self._leaves]
            self._withheld = any(payload.kept is None for payload in payloads)
            self.erased = any(payload.form == ERASED for payload in payloads)
            self._prints = {fingerprint(payload.kept) for payload in payloads if payload.kept is not None}
        return self._withheld or fingerprint(kept) in self._prints


class _Seen:
    """The values of one identity within this commit. Work is linear in their number, whoever chose the records."""

    def __init__(self) -> None:
        self._raw: set[bytes | None] = set()
        self._prints: set[bytes] = set()
        self._pending: list[bytes] = []

    @property
    def empty(self) -> bool:
        return not self._raw

    def add(self, kept: bytes | None) -> None:
        self._raw.add(kept)
        if kept is not None:
            self._pending.append(kept)

    def holds(self, kept: bytes | None) -> bool:
        if not self._raw:
            return False
        if kept is None or None in self._raw or kept in self._raw:
            return True
        self._prints.update(map(fingerprint, self._pending))
        self._pending.clear()
        return fingerprint(kept) in self._prints


class _Records:
    """Records of pieces by their number in all of them."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._rows = [(piece.batch, row) for piece in pieces for row in range(piece.start, piece.stop)]

    def identity(self, number: int) -> tuple[str, str]:
        batch, row = self._rows[number]
        return batch.sources[row], batch.ids[row]

    def kept(self, number: int) -> bytes | None:
        batch, row = self._rows[number]
        return batch.kept[row]
