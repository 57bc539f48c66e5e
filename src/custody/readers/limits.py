"""How much a reader takes from bytes that somebody else chose. Every limit can be set; sizes are bytes."""

import msgspec

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of reading.

    ``max_record``: a longer record is withheld and only hashed. ``max_depth``: nesting of JSON.
    ``max_ratio``: decompressed bytes allowed per byte received, counted over a whole outer file and all its layers,
    once ``free_bytes`` are used up. ``max_content``: decompressed bytes of one innermost file.
    ``max_members``: members read of one outer file. ``max_archive_depth``: containers within containers, a ``.gz``
    counted as one. ``whole``: files and contents up to this size are read at once, larger ones as a stream.
    """

    max_record: int = 16 * MIB
    max_depth: int = 128
    max_ratio: int = 200
    free_bytes: int = 8 * MIB
    max_content: int = 8 * GIB
    max_members: int = 100_000
    max_archive_depth: int = 4
    whole: int = 64 * MIB


DEFAULT = Limits()


class Budget:
    """What may still be decompressed of one outer file; the guard against bombs of every make."""

    def __init__(self, limits: Limits, received: int) -> None:
        self.left = limits.free_bytes + limits.max_ratio * received

    def take(self, wanted: int) -> int:
        """How many of ``wanted`` bytes are allowed; they count as used."""
        allowed = min(wanted, self.left)
        self.left -= allowed
        return allowed
