"""The independent check of a whole log (C2SP tlog-tiles, tlog-checkpoint, signed-note; RFC 6962).

A root alone proves little: it is computed from the tiles at the right edge. Here every file is read. Trust comes down
from the signature: the partial tiles of the edge must give the signed root, the hash of every full tile must be the
one in the tile above it, and every entry must hash to its place in the lowest tile. So each tile is compared, byte for
byte, with what the entries below it give, and the file that does not fit can be told from the files around it.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import product

import msgspec

from custody.errors import LogError
from custody.ledger import checkpoint, note
from custody.ledger.checkpoint import Checkpoint
from custody.ledger.fsck_extra import Extras
from custody.ledger.fsck_tiles import (
    ENTRIES,
    Kind,
    Place,
    Problem,
    entries_of,
    fold,
    place_of,
    root_of_edges,
    split,
)
from custody.ledger.merkle import EMPTY_ROOT, leaf_hash, verify_consistency
from custody.ledger.proof import consistency_proof
from custody.ledger.tiles import MISSING, Read

CHECKPOINT = "checkpoint"
"""The path of the signed checkpoint in the folder of a log."""

_SEGMENT = b'{"v":1,"kind":"segment",'

OnEntries = Callable[[int, Sequence[bytes]], None]
"""Takes the index of the first of some entries, and the entries, in the order of the log."""


class LogReport(msgspec.Struct, frozen=True):
    """What a check found. ``checkpoint`` is None where there is no verified one: then nothing else was checked.

    ``entries`` is the number of entries that were read, ``problems`` are in the order of discovery, one a file.
    """

    checkpoint: Checkpoint | None
    entries: int
    problems: tuple[Problem, ...]

    @property
    def damage(self) -> tuple[Problem, ...]:
        """The problems that mean that something signed is not as it was."""
        return tuple(problem for problem in self.problems if problem.kind == Kind.DAMAGE)

    @property
    def unfinished(self) -> tuple[Problem, ...]:
        """The problems that a commit that did not finish leaves behind; the next writer clears them."""
        return tuple(problem for problem in self.problems if problem.kind == Kind.UNFINISHED)


def check_log(read: Read, listing: Iterable[str], vkey: str, *, on_entries: OnEntries | None = None) -> LogReport:
    """Check every file of a log; nothing is written.

    ``listing`` has the path of every file in the log's folder, ``read`` their bytes, ``vkey`` the key of the log,
    whose name is the origin. ``on_entries`` is given every entry that could be read, once and in order (a bundle that
    is damaged is given too, and named in the report). LogError only where ``vkey`` is not a key.
    """
    problems: dict[str, Problem] = {}
    paths = list(listing)
    point = _checkpoint(read, note.Verifier.parse(vkey), problems)
    if point is not None and point.size > 256 * len(paths):
        _name(problems, CHECKPOINT, f"it is of {point.size} entries, and the folder has {len(paths)} files")
        point = None
    if point is None:
        return LogReport(None, 0, tuple(problems.values()))
    walk = _Walk(read, point, problems, on_entries)
    walk.run()
    _check_extra(walk, paths)
    return LogReport(point, walk.entries, tuple(problems.values()))


def check_consistency(read: Read, old: Checkpoint, new: Checkpoint) -> None:
    """Check that the log at ``new`` only adds to the log at ``old``, a checkpoint kept elsewhere.

    The proof is made from the log's tiles and believed only by RFC 9162 section 2.1.4.2. LogError where the origins
    differ, the log is behind, or the proof fails.
    """
    if old.origin != new.origin:
        raise LogError("the checkpoints are of two logs", where=CHECKPOINT, found=new.origin, expected=old.origin)
    if old.size > new.size:
        raise LogError(
            "the log is behind the other checkpoint",
            where=CHECKPOINT,
            found=f"size {new.size}",
            expected=f"at least {old.size}",
            advice="the log was rolled back to an older copy, or the other checkpoint is of a fork",
        )
    proof = consistency_proof(old.size, new.size, read)
    if not verify_consistency(old.size, old.root, new.size, new.root, proof):
        raise LogError(
            "the log does not continue the other checkpoint",
            where=f"the first {old.size} entries",
            found=f"root {note.encode64(new.root)} at size {new.size}",
            expected=f"a log that contains root {note.encode64(old.root)} at size {old.size}",
            advice="the log was rewritten after that checkpoint, or the checkpoint is of a fork",
        )


def _name(problems: dict[str, Problem], path: str, text: str, kind: Kind = Kind.DAMAGE) -> None:
    problems.setdefault(path, Problem(path, kind, text))


def _checkpoint(read: Read, verifier: note.Verifier, problems: dict[str, Problem]) -> Checkpoint | None:
    try:
        point = checkpoint.parse(note.open_note(read(CHECKPOINT), [verifier]).text)
    except MISSING:
        _name(problems, CHECKPOINT, "it is missing")
    except LogError as error:
        _name(problems, CHECKPOINT, f"it is not a checkpoint signed by {verifier.vkey}: {error}")
    else:
        if point.origin == verifier.name:
            return point
        _name(problems, CHECKPOINT, f"it is of the log {point.origin}, signed by {verifier.name}")
    return None


class _Walk:
    """One pass over the tiles and bundles of a checkpoint, from the top down and in the order of the entries."""

    def __init__(
        self, read: Read, point: Checkpoint, problems: dict[str, Problem], on_entries: OnEntries | None
    ) -> None:
        self.read = read
        self.point = point
        self.problems = problems
        self.entries = 0
        self.edges: list[bytes] = []
        """The right edge, a level each, as far as it could be trusted."""
        self.widths: dict[int, set[int]] = {}
        """The widths of the right edge at each level that published sizes had."""
        self._on_entries = on_entries
        self._last = b""

    def run(self) -> None:
        """Check what the checkpoint covers."""
        trusted = self._trust_edges()
        for level in reversed(range(len(self.edges))):
            first = self.point.size >> 8 * (level + 1) << 8
            if level == 0 and self.edges[0]:
                self._leaves(Place(0, first >> 8, len(self.edges[0]) // 32), self.edges[0], trusted)
            elif level:
                for at, item in enumerate(split(self.edges[level])):
                    self._tile(level - 1, first + at, item, trusted)
        if self._last and not self._last.startswith(_SEGMENT):
            self.name(CHECKPOINT, "its last entry does not close a commit")

    def name(self, path: str, text: str, kind: Kind = Kind.DAMAGE) -> None:
        """Note a problem with a file, unless it has one."""
        _name(self.problems, path, text, kind)

    def stored(self, place: Place) -> bytes | None:
        """The hashes in a tile; None, and named, where it is missing or has the wrong length."""
        data = self.bytes_of(place)
        if data is not None and len(data) != place.width * 32:
            self.name(place.path, f"it has {len(data)} bytes and not {place.width * 32}")
            return None
        return data

    def bytes_of(self, place: Place) -> bytes | None:
        """The bytes of a file; None, and named, where it is missing."""
        try:
            return self.read(place.path)
        except MISSING:
            self.name(place.path, "it is missing")
            return None

    def _trust_edges(self) -> bool:
        """Find the right edge that gives the signed root: as stored, or as what lies below gives it."""
        places = self._edge_places()
        stored = [self.stored(place) if place.width else b"" for place in places]
        self.edges = [edge or bytes(32 * place.width) for place, edge in zip(places, stored, strict=True)]
        if (root_of_edges(self.edges) or EMPTY_ROOT) == self.point.root:
            return True
        below = [self._below(place) if place.width else b"" for place in places]
        for edges in product(
            *zip(self.edges, (new or old for new, old in zip(below, self.edges, strict=True)), strict=True)
        ):
            if root_of_edges(list(edges)) == self.point.root:
                self._mend(places, list(edges))
                return True
        for place in places:
            if place.width:
                bundle = (Place(ENTRIES, place.index, place.width),) if place.level == 0 else ()
                self._blame(place, *bundle, text="the files of the right edge do not give the signed root")
        return False

    def _edge_places(self) -> list[Place]:
        """The partial tiles of the checkpoint, a level each from 0 up; of width 0 where a level has none."""
        places: list[Place] = []
        while hashes := self.point.size >> 8 * len(places):
            places.append(Place(len(places), hashes >> 8, hashes & 255))
        return places

    def _mend(self, places: list[Place], edges: list[bytes]) -> None:
        """Go on with the edges that give the signed root, and name the stored ones that do not."""
        for place, old, new in zip(places, self.edges, edges, strict=True):
            if old != new:
                self.name(place.path, "it does not hold the hashes that the signed root needs")
        self.edges = edges

    def _below(self, place: Place) -> bytes | None:
        """The hashes that a tile should hold, from the files right below it; None where one cannot be read."""
        if place.level == 0:
            data = self.bytes_of(Place(ENTRIES, place.index, place.width))
            leaves = [leaf_hash(entry) for entry in entries_of(data or b"")[0]]
            return b"".join(leaves) if len(leaves) == place.width else None
        below = []
        for index in range(place.index << 8, (place.index << 8) + place.width):
            tile = self.stored(Place(place.level - 1, index))
            if tile is None:
                return None
            below.append(fold(split(tile)))
        return b"".join(below)

    def _tile(self, level: int, index: int, expected: bytes, trusted: bool) -> None:
        """Check a full tile, whose hash should be ``expected``, and all below it."""
        place = Place(level, index)
        stored = self.stored(place)
        if level == 0:
            self._leaves(place, stored, trusted, expected)
            return
        items = stored
        if stored is None or fold(split(stored)) != expected:
            items = self._below(place)
            if items is None or fold(split(items)) != expected:
                items, trusted = stored or items, self._distrust(place, stored == items, trusted)
            elif stored is not None:
                self.name(place.path, "it does not hold the hashes that the tile above it needs")
        for at, item in enumerate(split(items or bytes(8192))):
            self._tile(level - 1, (index << 8) + at, item, trusted)

    def _distrust(self, place: Place, agree: bool, trusted: bool) -> bool:
        """Name a tile that neither as stored nor from below has the right hash, unless the tile above is to blame."""
        if trusted or not agree:
            self.name(place.path, "neither it nor the tiles below it give the hash in the tile above it")
        return False

    def _leaves(self, place: Place, stored: bytes | None, trusted: bool, expected: bytes | None = None) -> None:
        """Check a lowest tile with its bundle; ``expected`` is the hash of a full one, None for the edge."""
        bundle = Place(ENTRIES, place.index, place.width)
        entries = self._bundle(bundle)
        leaves = None if entries is None else b"".join(map(leaf_hash, entries))
        fits = trusted if expected is None else stored is not None and fold(split(stored)) == expected
        if entries is not None and leaves == stored:
            self._closings(place.index << 8, entries)
            if not fits and trusted:
                self._blame(place, bundle, text="it and its hash tile agree, and do not fit the tile above")
        elif fits:
            self._blame(bundle, text="an entry in it does not hash to its place in the tree")
        elif expected is not None and leaves is not None and fold(split(leaves)) == expected:
            self._blame(place, text="it does not hold the hashes of its entries")
        else:
            self._blame(place, bundle, text="entries and hash tile differ, and neither fits the tile above")

    def _blame(self, *places: Place, text: str) -> None:
        for place in places:
            self.name(place.path, text)

    def _bundle(self, place: Place) -> list[bytes] | None:
        """Read a bundle and hand its entries on; None, and named, where they are not ``width`` whole ones."""
        self._last = b""
        data = self.bytes_of(place)
        if data is None:
            return None
        entries, whole = entries_of(data)
        if not whole or len(entries) != place.width:
            found = f"{len(entries)} whole entries" + ("" if whole else " and a part of one")
            self.name(place.path, f"it holds {found}, not {place.width}")
            return None
        self.entries += len(entries)
        if self._on_entries is not None:
            self._on_entries(place.index << 8, entries)
        return entries

    def _closings(self, first: int, entries: list[bytes]) -> None:
        """Find the entries that close a commit in a bundle that is as it was."""
        self._last = entries[-1]
        for at, entry in enumerate(entries, first + 1):
            if entry.startswith(_SEGMENT):
                self._published(at)

    def _published(self, size: int) -> None:
        """Remember the edge widths of a size that was published."""
        level = 0
        while size >> 8 * level:
            if size >> 8 * (level + 1) == self.point.size >> 8 * (level + 1):
                self.widths.setdefault(level, set()).add((size >> 8 * level) & 255)
            level += 1


def _check_extra(walk: _Walk, paths: list[str]) -> None:
    """Check the files that the walk did not: partials of earlier published sizes, and what should not be there."""
    size = walk.point.size
    extras = Extras(walk.read, size, walk.edges)
    expected = {
        Place(folder, size >> 8 * (level + 1), width)
        for level, widths in walk.widths.items()
        for folder in ((ENTRIES, 0) if level == 0 else (level,))
        for width in widths - {0, (size >> 8 * level) & 255}
    }
    for place in sorted(expected, key=lambda place: (place.level, place.width)):
        if walk.bytes_of(place) is not None and not extras.matches(place):
            walk.name(place.path, "it is not the start of the tile at the checkpoint")
    extra = []
    for path in paths:
        found = place_of(path)
        if found is not None and not _covered(found, size, expected):
            extra.append(found)
        elif found is None and path != CHECKPOINT:
            walk.name(path, "it is not a file of a log")
    for problem in extras.judge(extra):
        walk.name(problem.path, problem.text, problem.kind)


def _covered(place: Place, size: int, expected: set[Place]) -> bool:
    """Whether a file belongs to the checkpoint's size or an earlier published one."""
    hashes = size >> 8 * max(place.level, 0)
    full, width = divmod(hashes, 256)
    if place.width == 256:
        return place.index < full
    return (place.index, place.width) == (full, width) or place in expected
