"""A whole log in memory: the order of a commit in its plainest form, and what tests use in place of a store."""

from collections.abc import Sequence

from custody.errors import NotFound
from custody.ledger.checkpoint import Checkpoint
from custody.ledger.entry import segment_entry
from custody.ledger.merkle import leaf_hash
from custody.ledger.note import Signer, sign
from custody.ledger.tree import Tree


class MemoryLog:
    """A log whose ``files`` are a dict of path to bytes, signed by ``signer``, whose name is the origin."""

    def __init__(self, signer: Signer) -> None:
        self.signer = signer
        self.files: dict[str, bytes] = {}
        self.tree = Tree.empty()

    def read(self, path: str) -> bytes:
        """The bytes of a file; NotFound where it is absent."""
        try:
            return self.files[path]
        except KeyError:
            raise NotFound("no such file in the log", where=path) from None

    def commit(self, entries: Sequence[bytes]) -> Checkpoint:
        """Append entries, close them with a segment entry, publish; the checkpoint published."""
        self.write(entries)
        point = self.publish()
        for path in self.tree.obsolete():
            self.files.pop(path, None)
        return point

    def write(self, entries: Sequence[bytes]) -> None:
        """The first half of a commit: everything but the checkpoint."""
        first = self.tree.size
        closed = [*entries, segment_entry(None, None, first, first + len(entries), ())]
        self.tree.append(closed, b"".join(map(leaf_hash, closed)))
        self.files.update(self.tree.take_files())

    def publish(self) -> Checkpoint:
        """The second half: sign the tree as it is."""
        point = Checkpoint(self.signer.name, self.tree.size, self.tree.root())
        self.files["checkpoint"] = sign(point.text(), [self.signer])
        return point
