"""Time stamps in a pack: each over a note of the pack's own checkpoint.

Whether an authority signed the answer is for whoever trusts one (``openssl ts -verify``). Here only that it is about
this tree: the note is the log's, of the same text, and the answer holds the note's hash.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256

from custody.errors import LogError
from custody.ledger.checkpoint import Checkpoint, parse
from custody.ledger.note import MAX_NOTE, open_note
from custody.ledger.policy import Policy
from custody.packs import parts
from custody.packs.archive import Member

NOTE, ANSWER = ".checkpoint", ".tsr"


def stamp_paths(leaf: int) -> tuple[str, str]:
    """Where the note and the answer are that the statement at a leaf seals."""
    return f"{parts.STAMPS}{leaf}{NOTE}", f"{parts.STAMPS}{leaf}{ANSWER}"


def stamps(
    members: Mapping[str, Member],
    whole: Callable[[str, int], bytes],
    point: Checkpoint,
    policy: Policy,
    name: Callable[[str, str | LogError], None],
) -> int:
    """How many time stamps are over ``point``; ``name`` notes the problem with any that is not."""
    good = 0
    for path in (each for each in members if each.startswith(parts.STAMPS)):
        stem = path.removesuffix(NOTE).removesuffix(ANSWER)
        if stem == path or stem + NOTE not in members or stem + ANSWER not in members:
            name(path, "a time stamp has two files, of the note and of the answer")
        elif path.endswith(ANSWER):
            try:
                good += _checked(whole(stem + NOTE, MAX_NOTE), whole(path, MAX_NOTE), point, policy)
            except LogError as error:
                name(stem + NOTE, error)
    return good


def _checked(note: bytes, answer: bytes, point: Checkpoint, policy: Policy) -> bool:
    if parse(open_note(note, policy.verifiers()).text) != point:
        raise LogError("what was stamped is another checkpoint than the pack's")
    if sha256(note).digest() not in answer:
        raise LogError("the time stamp is not over this note")
    return True
