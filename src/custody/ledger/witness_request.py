"""The body of ``add-checkpoint`` (C2SP tlog-witness): a checkpoint, and the proof that it continues an older one.

::

    old <size, decimal>
    <base64 of a hash>          (at most 63 lines: the consistency proof from the old size to that of the checkpoint)
    <empty line>
    <checkpoint note, verbatim>
"""

from collections.abc import Sequence

import msgspec

from custody.errors import LogError
from custody.ledger import checkpoint, note
from custody.ledger.merkle import HASH_SIZE
from custody.ledger.proof import MAX_HASHES

MAX_REQUEST = 1_010_000
"""Bytes in the longest request that is read: a note, 63 hashes, the old size."""


class AddCheckpoint(msgspec.Struct, frozen=True):
    """A parsed request: nothing in it is verified but its form. ``signed`` is the note's bytes."""

    old: int
    proof: tuple[bytes, ...]
    signed: bytes

    @property
    def point(self) -> checkpoint.Checkpoint:
        """The checkpoint that the note says."""
        return checkpoint.parse(note.parse_note(self.signed).text)


def format_request(old: int, proof: Sequence[bytes], signed: bytes) -> bytes:
    """The body that asks a witness who knows size ``old`` to cosign the checkpoint note ``signed``."""
    head = "".join(f"{each}\n" for each in (f"old {old}", *map(note.encode64, proof)))
    return head.encode() + b"\n" + signed


def parse_request(data: bytes) -> AddCheckpoint:
    """The request in ``data``. LogError where it is not exactly one; signatures and proof are not verified here."""
    if len(data) > MAX_REQUEST:
        raise LogError("a request is too long", found=f"{len(data)} bytes", expected=f"at most {MAX_REQUEST}")
    head, blank, signed = data.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise LogError("a request is not ASCII before its checkpoint", where=f"byte {error.start}") from None
    if not blank or not first.startswith("old ") or len(lines) > MAX_HASHES:
        raise LogError("not a request to a witness", found=repr(first[:60]), expected="old <size>, at most 63 hashes")
    hashes = tuple(map(note.decode64, lines))
    if any(len(value) != HASH_SIZE for value in hashes):
        raise LogError("a hash of a proof has the wrong length", expected="32 bytes")
    request = AddCheckpoint(checkpoint.parse_number(first.removeprefix("old ")), hashes, signed)
    _ = request.point  # a request without a checkpoint is none
    return request
