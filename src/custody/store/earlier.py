"""The signed note of an earlier size: notes are not kept, and an Ed25519 signature can be made again to the byte.

A log must never sign two trees that do not continue each other. So the earlier root is read from the tiles, and the
proof that the published checkpoint continues it (RFC 9162 section 2.1.4.2) must hold before anything is signed.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from custody.errors import LogError, StoreError
from custody.ledger.checkpoint import Checkpoint
from custody.ledger.cosignature import with_signatures
from custody.ledger.entry import SegmentEntry, decode
from custody.ledger.merkle import verify_consistency
from custody.ledger.note import parse_note
from custody.ledger.proof import Prover, consistency_proof, format_proof, root_at
from custody.store.disk import RealDisk
from custody.store.keyring import open_keys
from custody.store.logfiles import LogFiles
from custody.store.rotation import keys_of
from custody.store.storefile import StoreFile


class Earlier:
    """The log as it was at a published size: its note, its entries, and proofs in it."""

    def __init__(
        self, root: Path, keys: Path, store: StoreFile, published: Checkpoint, size: int, cosigned: Sequence[bytes] = ()
    ) -> None:
        """StoreError where the keys are missing, the log is damaged, or nothing was published at ``size``.

        ``cosigned`` are notes of this size that witnesses signed too: their signatures are put under the log's own.
        """
        self._files = LogFiles(root)
        self._read = lru_cache(maxsize=256)(self._files.read)
        self._prover = Prover(size, self._read)
        self.size = size
        try:
            self.checkpoint = self._proved(published)
        except LogError as error:
            raise StoreError(f"the log is damaged: {error}", advice="`custody verify` says where.") from None
        keyring = open_keys(RealDisk(), keys, store.store, store.origin, vkey=keys_of(root, store)[-1])
        self.vkey = keyring.vkey
        self.note = self._with(keyring.again(self.checkpoint.text()), cosigned)

    def _with(self, own: bytes, cosigned: Sequence[bytes]) -> bytes:
        for other in cosigned:
            found = parse_note(other)
            if found.text != self.checkpoint.text():
                raise StoreError("an anchor is of another tree", found=repr(found.text[:200]))
            own = with_signatures(own, found.others)
        return own

    def entry(self, leaf: int) -> bytes:
        """The bytes of the entry at ``leaf``; NotFound past the size."""
        return self._files.entry(leaf, self.size)

    def proof(self, leaf: int) -> bytes:
        """The C2SP tlog-proof of the entry at ``leaf`` under this checkpoint."""
        return format_proof(leaf, self._prover.inclusion(leaf), self.note)

    def _proved(self, published: Checkpoint) -> Checkpoint:
        point = Checkpoint(published.origin, self.size, root_at(self.size, self._read))
        if not isinstance(decode(self.entry(self.size - 1)), SegmentEntry):
            raise LogError("no checkpoint was published there", found=f"size {self.size}")
        proof = consistency_proof(self.size, published.size, self._read)
        if not verify_consistency(point.size, point.root, published.size, published.root, proof):
            raise LogError("the checkpoint does not continue this size", found=f"size {self.size}")
        return point
