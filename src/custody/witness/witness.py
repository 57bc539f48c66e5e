"""What a witness decides about a request, apart from how it came (C2SP tlog-witness, ``add-checkpoint``).

1. the body is one request: else 400
2. the origin is that of a log that is known: else 404
3. a known key of that log signed the note, and no known signature is wrong: else 403
4. the old size is not larger than the size: else 400
5. the old size is the one that was cosigned last: else 409 with that size
6. the same size has the same root: else 409 (the log shows two trees)
7. the proof leads from the old root to the new: else 422
8. compare-and-remember is one step; another request came between: 409 with the size it left
9. only then is the cosignature made and given out: 200
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import msgspec

from custody.errors import LogError
from custody.ledger import note
from custody.ledger.checkpoint import Checkpoint
from custody.ledger.cosignature import Cosigner, with_signatures
from custody.ledger.merkle import verify_consistency
from custody.ledger.note import Verifier, line
from custody.ledger.witness_request import AddCheckpoint, parse_request
from custody.witness.memory import Memory, Remembered

SIZE = "text/x.tlog.size"
PLAIN = "text/plain; charset=utf-8"


class Reply(msgspec.Struct, frozen=True):
    """What to answer: an HTTP status, a body and its type."""

    status: int
    body: str
    kind: str = PLAIN


class Witness:
    """A witness with its key and memory. ``clock`` gives POSIX seconds."""

    def __init__(self, cosigner: Cosigner, memory: Memory, clock: Callable[[], int]) -> None:
        self._cosigner, self._memory, self._clock = cosigner, memory, clock

    def add_checkpoint(self, body: bytes) -> Reply:
        """Answer a request. StoreError where the memory fails: nothing is then cosigned."""
        try:
            request = parse_request(body)
        except LogError as error:
            return Reply(400, f"{error}\n")
        point = request.point
        known = self._memory.log(point.origin)
        if known is None:
            return Reply(404, "this witness does not know the log\n")
        try:
            note.open_note(request.signed, [Verifier.parse(vkey) for vkey in known.vkeys])
        except LogError:
            return Reply(403, "no key of this log signed the checkpoint\n")
        return _refused(request, point, known) or self._cosign(request, point, known)

    def checkpoint(self, origin_hash: str) -> Reply:
        """The last checkpoint cosigned of the log whose origin has this SHA-256 (hex), with the cosignature."""
        for known in self._memory.logs():
            if known.note is not None and sha256(known.origin.encode()).hexdigest() == origin_hash:
                return Reply(200, known.note.decode())
        return Reply(404, "nothing was cosigned for such a log\n")

    def _cosign(self, request: AddCheckpoint, point: Checkpoint, known: Remembered) -> Reply:
        signature = self._cosigner.cosign(note.parse_note(request.signed).text, self._clock())
        whole = with_signatures(_own_lines_only(request.signed, known), [signature])
        if not self._memory.advance(known, point.size, point.root, whole):
            now = self._memory.log(point.origin)
            return Reply(409, f"{now.size if now else 0}\n", SIZE)
        return Reply(200, line(signature))


def _refused(request: AddCheckpoint, point: Checkpoint, known: Remembered) -> Reply | None:
    """The answer to a request that does not continue what was cosigned; None where it does."""
    if request.old > point.size:
        return Reply(400, "the old size is larger than the checkpoint's\n")
    if request.old != known.size:
        return Reply(409, f"{known.size}\n", SIZE)
    if point.size == known.size and known.note is not None and point.root != known.root:
        return Reply(409, f"{known.size}\n", SIZE)
    if not _continues(request, point, known):
        return Reply(422, "the proof does not lead from the old tree to the new\n")
    return None


def _continues(request: AddCheckpoint, point: Checkpoint, known: Remembered) -> bool:
    if known.size == 0:
        return not request.proof
    return verify_consistency(known.size, known.root, point.size, point.root, request.proof)


def _own_lines_only(signed: bytes, known: Remembered) -> bytes:
    """The note with the signatures of the log's known keys alone: what others wrote there is not passed on."""
    opened = note.open_note(signed, [Verifier.parse(vkey) for vkey in known.vkeys])
    return opened.text.encode() + b"\n" + "".join(map(line, opened.signatures)).encode()
