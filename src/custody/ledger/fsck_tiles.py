"""What ``fsck`` knows of C2SP tlog-tiles, written a second time on purpose.

An error in the writer's layout or hashing must not hide itself by being used to check. Of the writer's code only
``leaf_hash`` and ``node_hash`` are shared.
"""

import re
from enum import StrEnum

import msgspec

from custody.ledger.merkle import node_hash

ENTRIES = -1
"""Stands for ``entries`` where a level is asked for: a bundle."""

_PATH = re.compile(
    r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?\Z", re.ASCII
)


class Kind(StrEnum):
    """How bad a problem is: damage to what was signed, or what a commit that did not finish left behind."""

    DAMAGE = "damage"
    UNFINISHED = "unfinished"


class Problem(msgspec.Struct, frozen=True):
    """Something wrong with one file: ``path`` in the folder of the log, ``text`` one sentence."""

    path: str
    kind: Kind
    text: str


class Place(msgspec.Struct, frozen=True):
    """Where a file stands: ``level`` of a hash tile or ENTRIES, its index, its width (256 for a full one)."""

    level: int
    index: int
    width: int = 256

    @property
    def path(self) -> str:
        """The path of the file."""
        digits = str(self.index)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        name = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
        folder = "entries" if self.level == ENTRIES else str(self.level)
        return f"tile/{folder}/{name}" + (f".p/{self.width}" if self.width < 256 else "")


def place_of(path: str) -> Place | None:
    """The place that a path names; None where it names none, or not in its one form."""
    match = _PATH.match(path)
    if not match:
        return None
    folder, name, width = match.groups()
    index = int(name.replace("x", "").replace("/", ""))
    place = Place(ENTRIES if folder == "entries" else int(folder), index, int(width or 256))
    return place if place.path == path else None


def entries_of(data: bytes) -> tuple[list[bytes], bool]:
    """The whole entries at the start of a bundle's bytes, and whether they are all of it."""
    entries = []
    at = 0
    size = len(data)
    while at + 2 <= size:
        end = at + 2 + (data[at] << 8 | data[at + 1])
        if end > size:
            break
        entries.append(data[at + 2 : end])
        at = end
    return entries, at == size


def split(hashes: bytes) -> list[bytes]:
    """The hashes of a tile, one by one."""
    return [hashes[at : at + 32] for at in range(0, len(hashes), 32)]


def fold(level: list[bytes]) -> bytes:
    """The root over hashes (RFC 6962 section 2.1; not of none)."""
    while len(level) > 1:
        pairs = list(map(node_hash, level[::2], level[1::2]))
        level = pairs + level[-1:] if len(level) % 2 else pairs
    return level[0]


def root_of_edges(edges: list[bytes]) -> bytes | None:
    """The root that the partial tiles of the right edge give, from level 0 up; None where there are none."""
    below: list[bytes] = []
    for edge in edges:
        if edge or below:
            below = [fold(split(edge) + below)]
    return below[0] if below else None
