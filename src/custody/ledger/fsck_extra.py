"""Files in a log's folder that its checkpoint does not ask for: left by a commit that did not finish, or foreign.

Nothing here is signed. A partial tile is left when a writer ends between the checkpoint and its deletion; files past
the checkpoint when it ends before. Both are told from files that nobody's writer made, by what they hold.
"""

from collections.abc import Iterable, Iterator

from custody.ledger.fsck_tiles import ENTRIES, Kind, Place, Problem, entries_of, fold, split
from custody.ledger.merkle import leaf_hash
from custody.ledger.tiles import MISSING, Read

_ENTRY = b'{"v":1,"kind":"'


class Extras:
    """Judges files by the tree at the checkpoint: its ``size``, and its ``edges``, the partial tiles from level 0 up.

    The files past the checkpoint are read as a continuation of the tree, as far as their bundles go.
    """

    def __init__(self, read: Read, size: int, edges: list[bytes]) -> None:
        self._read = read
        self._size = size
        self._levels = [bytearray(edge) for edge in edges]
        self._starts = [size >> 8 * (level + 1) << 8 for level in range(len(edges))]

    def judge(self, places: Iterable[Place]) -> Iterator[Problem]:
        """One problem for each file: unfinished where it has the right content for what it is, else damage."""
        ordered = sorted(places, key=lambda place: (place.index, place.width, place.level))
        self._continue([place for place in ordered if place.level == ENTRIES])
        for place in ordered:
            yield self._judged(place)

    def matches(self, place: Place) -> bool:
        """Whether a file holds exactly what the tree, or its continuation, has in its place."""
        hashes, whole = self._content(place)
        return whole and hashes != b"" and hashes == self._wanted(place)

    def _judged(self, place: Place) -> Problem:
        if self.matches(place):
            late = place.index < self._size >> 8 * (max(place.level, 0) + 1)
            text = (
                "a partial of an earlier size, not deleted yet" if late else "written for a commit that did not finish"
            )
            return Problem(place.path, Kind.UNFINISHED, text)
        hashes, whole = self._content(place)
        if self._past(place) and not whole and self._wanted(place, len(hashes)) == hashes:
            return Problem(place.path, Kind.UNFINISHED, "cut off while written for a commit that did not finish")
        return Problem(place.path, Kind.DAMAGE, "it belongs neither to the log nor to a commit that did not finish")

    def _past(self, place: Place) -> bool:
        """Whether a file is of a size beyond the checkpoint."""
        return (place.index << 8) + place.width > self._size >> 8 * max(place.level, 0)

    def _content(self, place: Place) -> tuple[bytes, bool]:
        """The hashes that a file holds or its entries give, and whether there are as many as its name says."""
        if place.level == ENTRIES:
            entries, whole = self._entries(place)
            return b"".join(map(leaf_hash, entries)), whole and len(entries) == place.width
        data = self._bytes(place)
        return data, len(data) == place.width * 32

    def _entries(self, place: Place) -> tuple[list[bytes], bool]:
        return entries_of(self._bytes(place))

    def _bytes(self, place: Place) -> bytes:
        try:
            return self._read(place.path)
        except MISSING:
            return b""

    def _wanted(self, place: Place, length: int | None = None) -> bytes | None:
        """The hashes that should be in a place, or their first ``length`` bytes; None where that is not known."""
        length = place.width * 32 if length is None else length
        level = max(place.level, 0)
        if place.index < self._size >> 8 * (level + 1):
            hashes, _ = self._content(Place(place.level, place.index))
            return hashes[:length]
        if level >= len(self._levels):
            return None
        at = ((place.index << 8) - self._starts[level]) * 32
        hashes = bytes(self._levels[level][at : at + length])
        return hashes if len(hashes) == length else None

    def _continue(self, bundles: list[Place]) -> None:
        """Grow the tree by the entries of the bundles past its end, while each follows on the one before."""
        longest = {place.index: place for place in bundles if self._past(place)}
        index = self._size >> 8
        while place := longest.get(index):
            entries, _ = self._entries(place)
            held = len(self._levels[0]) // 32 - (index << 8) + self._starts[0] if self._levels else 0
            leaves = [leaf_hash(entry) for entry in entries]
            known = self._wanted(Place(0, index, held)) if held else b""
            if not all(entry.startswith(_ENTRY) for entry in entries) or b"".join(leaves[:held]) != known:
                return
            for leaf in leaves[held:256]:
                self._grow(0, leaf)
            if len(leaves) != 256:
                return
            index += 1

    def _grow(self, level: int, value: bytes) -> None:
        if level == len(self._levels):
            self._levels.append(bytearray())
            self._starts.append(self._size >> 8 * (level + 1) << 8)
        hashes = self._levels[level]
        hashes += value
        if len(hashes) % 8192 == 0:
            self._grow(level + 1, fold(split(bytes(hashes[-8192:]))))
