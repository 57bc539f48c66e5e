"""Where a record is sealed: what every claim cites."""

import msgspec


class LeafRef(msgspec.Struct, frozen=True):
    """A leaf of a log: what every claim cites."""

    log: str
    index: int
