"""The checkpoint of a log (C2SP tlog-checkpoint): the text that its note signs.

    <origin: a unique name of the log>
    <size of the tree, decimal>
    <base64 of the 32-byte root>
    [extension lines, none of them empty]

Every line ends in a line feed.
"""

import re

import msgspec

from custody.errors import LogError
from custody.ledger import note
from custody.ledger.merkle import EMPTY_ROOT, HASH_SIZE, MAX_TREE

_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\Z", re.ASCII)


class Checkpoint(msgspec.Struct, frozen=True):
    """The size and root of a log at one moment. Cannot be made with values that the format cannot say (LogError).

    ``root`` is 32 bytes. Extension lines are carried, never believed.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what the format asks of each line."""
        for line in (self.origin, *self.extensions):
            if not line or "\n" in line or not note.is_text(line):
                raise LogError("not a line of a checkpoint", found=repr(line[:100]), expected="text on one line")
        if not 0 <= self.size <= MAX_TREE:
            raise LogError("not the size of a tree", found=str(self.size), expected=f"0 to {MAX_TREE}")
        if len(self.root) != HASH_SIZE:
            raise LogError("not a root", found=f"{len(self.root)} bytes", expected="32 bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise LogError("an empty tree has another root", found=self.root.hex(), expected=EMPTY_ROOT.hex())

    def text(self) -> str:
        """The text to be signed, with its final line feed."""
        lines = (self.origin, str(self.size), note.encode64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def parse(text: str) -> Checkpoint:
    """The checkpoint that a note's text says. LogError where it is anything but exactly that."""
    *lines, end = text.split("\n")
    if end or len(lines) < 3:
        raise LogError("not a checkpoint", found=f"{len(lines)} lines", expected="three lines or more, each ended")
    origin, size, root, *extensions = lines
    return Checkpoint(origin, parse_number(size), note.decode64(root), tuple(extensions))


def parse_number(text: str) -> int:
    """A decimal number of at most 63 bits in ASCII digits, without sign or leading zero. LogError otherwise."""
    if not _SIZE.match(text) or int(text) > MAX_TREE:
        raise LogError("not a number in its one form", found=repr(text[:40]), expected="decimal, no leading zero")
    return int(text)
