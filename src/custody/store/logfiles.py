"""Reading the log's files: the checkpoint, entries by leaf, entries in order. Bytes are as found, not proven."""

from collections.abc import Iterator
from pathlib import Path

from custody.errors import LogError, NotFound, StoreError
from custody.ledger.checkpoint import Checkpoint, parse
from custody.ledger.note import Verifier, open_note
from custody.ledger.tiles import TILE_WIDTH, read_bundle
from custody.store.layout import LOG, log_path

CACHED_BUNDLES = 64


class LogFiles:
    """The files of a log under ``root``. Entries are kept by bundle for as long as they are near."""

    def __init__(self, root: Path, log: str = LOG) -> None:
        self._root = root
        self.log = log
        self._bundles: dict[tuple[int, int], list[bytes]] = {}

    def read(self, path: str) -> bytes:
        """The bytes of a file inside the log (``tile/0/000``); FileNotFoundError where it is absent."""
        try:
            return (self._root / log_path(path, self.log)).read_bytes()
        except (IsADirectoryError, NotADirectoryError) as error:
            raise FileNotFoundError(path) from error

    def checkpoint_note(self) -> bytes | None:
        """The published note, None where nothing was published."""
        try:
            return (self._root / log_path("checkpoint", self.log)).read_bytes()
        except FileNotFoundError:
            return None

    def entry(self, leaf: int, size: int) -> bytes:
        """The entry at ``leaf`` of the log of ``size``; NotFound past its end."""
        if not 0 <= leaf < size:
            raise NotFound("no such leaf", found=str(leaf), expected=f"0 to {size - 1}")
        return self._bundle(leaf // TILE_WIDTH, size)[leaf % TILE_WIDTH]

    def entries(self, start: int, end: int, size: int) -> Iterator[tuple[int, bytes]]:
        """(leaf, entry) of the leaves [start, end) of the log of ``size``, in order."""
        for index in range(start // TILE_WIDTH, -(-end // TILE_WIDTH)):
            first = index * TILE_WIDTH
            bundle = read_bundle(self.read, index, min(TILE_WIDTH, size - first))
            for leaf in range(max(start, first), min(end, first + len(bundle))):
                yield leaf, bundle[leaf - first]

    def _bundle(self, index: int, size: int) -> list[bytes]:
        key = (index, min(TILE_WIDTH, size - index * TILE_WIDTH))
        found = self._bundles.get(key)
        if found is None:
            if len(self._bundles) >= CACHED_BUNDLES:
                self._bundles.pop(next(iter(self._bundles)))
            found = self._bundles[key] = read_bundle(self.read, *key)
        return found


def open_checkpoint(note: bytes, *, vkey: str, origin: str, where: str) -> Checkpoint:
    """The checkpoint that ``note`` signs. StoreError where it is not signed by ``vkey`` or is another log's."""
    try:
        checkpoint = parse(open_note(note, [Verifier.parse(vkey)]).text)
    except LogError as error:
        raise StoreError(f"the signed note does not hold: {error}", where=where, expected=f"a note of {vkey}") from None
    if checkpoint.origin != origin:
        raise StoreError("a checkpoint of another log", where=where, found=checkpoint.origin, expected=origin)
    return checkpoint
