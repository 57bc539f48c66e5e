"""A piece of a file, as it is handed to whoever writes."""

import msgspec


class Piece(msgspec.Struct, frozen=True):
    """Bytes for the file at ``path`` (with slashes, under the estate's folder): the whole file, or to append.

    A whole file can come again: then it replaces the one before, as somebody who tampers with it does.
    """

    path: str
    data: bytes
    append: bool = False
