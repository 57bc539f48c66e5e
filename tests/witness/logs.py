"""A log in memory with its key, as small as the witness needs it."""

from custody.ledger.checkpoint import Checkpoint
from custody.ledger.merkle import leaf_hash
from custody.ledger.note import Signer, sign
from custody.ledger.proof import consistency_proof
from custody.ledger.tree import Tree
from custody.ledger.witness_request import format_request


class MemoryLog:
    """Entries, a key, and the checkpoints and proofs of any size."""

    def __init__(self, origin: str, entries: list[bytes], seed: bytes = b"s" * 32) -> None:
        self.signer = Signer(origin, seed)
        self.origin = origin
        self._files: dict[str, bytes] = {}
        self._roots = {}
        tree = Tree.empty()
        self._roots[0] = tree.root()
        for entry in entries:
            tree.append([entry], leaf_hash(entry))
            self._files.update(tree.take_files())
            self._roots[tree.size] = tree.root()

    @property
    def vkey(self) -> str:
        """Its verifier key."""
        return self.signer.vkey

    def note(self, size: int) -> bytes:
        """The signed checkpoint of a size."""
        return sign(Checkpoint(self.origin, size, self._roots[size]).text(), [self.signer])

    def proof(self, old: int, size: int) -> list[bytes]:
        """The consistency proof between two sizes."""
        return consistency_proof(old, size, self._files.__getitem__) if old else []

    def request(self, old: int, size: int) -> bytes:
        """The body that asks a witness who knows ``old`` to cosign ``size``."""
        return format_request(old, self.proof(old, size), self.note(size))
