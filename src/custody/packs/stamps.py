"""Time stamps in a pack: each over a note of the pack's own checkpoint.

Without roots it is only checked that the answer is about this tree: the note has the text of the checkpoint, and the
answer holds the note's hash. Whether an authority signed it is then for whoever trusts one (``openssl ts -verify``).
With roots the answer is checked as ``custody anchor`` does (RFC 3161, needs the extra ``timestamp``).
"""

from collections.abc import Callable, Mapping
from hashlib import sha256

from cryptography.x509 import Certificate

from custody.errors import LogError
from custody.ledger import timestamp
from custody.ledger.checkpoint import Checkpoint, parse
from custody.ledger.note import MAX_NOTE, parse_note
from custody.ledger.timestamp import Stamped
from custody.packs import parts
from custody.packs.archive import Member

NOTE, ANSWER = ".checkpoint", ".tsr"
Roots = tuple[Certificate, ...]


def stamp_paths(leaf: int) -> tuple[str, str]:
    """Where the note and the answer are that the statement at a leaf seals."""
    return f"{parts.STAMPS}{leaf}{NOTE}", f"{parts.STAMPS}{leaf}{ANSWER}"


def stamps(
    members: Mapping[str, Member],
    whole: Callable[[str, int], bytes],
    point: Checkpoint,
    roots: Roots,
    name: Callable[[str, str | LogError], None],
) -> list[Stamped | None]:
    """The time stamps over ``point``: what each says under ``roots``, None where there are none to check it by.

    ``name`` notes the problem with any that is not one. UsageError where roots are given and the extra is missing.
    """
    found = []
    for path in (each for each in members if each.startswith(parts.STAMPS)):
        stem = path.removesuffix(NOTE).removesuffix(ANSWER)
        if stem == path or stem + NOTE not in members or stem + ANSWER not in members:
            name(path, "a time stamp has two files, of the note and of the answer")
        elif path.endswith(ANSWER):
            try:
                found.append(_checked(whole(stem + NOTE, MAX_NOTE), whole(path, MAX_NOTE), point, roots))
            except LogError as error:
                name(stem + NOTE, error)
    return found


def _checked(note: bytes, answer: bytes, point: Checkpoint, roots: Roots) -> Stamped | None:
    # Which key of the log signed the note then does not matter: what was stamped has to be this very tree.
    if parse(parse_note(note).text) != point:
        raise LogError("what was stamped is another checkpoint than the pack's")
    if sha256(note).digest() not in answer:
        raise LogError("the time stamp is not over this note")
    return timestamp.check(answer, note, roots) if roots else None
