"""Key rotation of the operations log: which key signs now, and who said so.

A rotation is a note that the old key and the new key both sign:

    custody key rotation v1
    <origin>
    <verifier key before>
    <verifier key from now on>

It is sealed as the statement ``key-rotation`` under the old key, and kept in ``STORE/logs/operations.rotations`` (a
JSON array of notes), so that a reader knows the key before it reads the log. Whoever holds an older key of the log
follows the notes from there. The origin stays. The checkpoint at the rotation is signed by both keys; the old seed is
then gone.

In this order, each step taken up again by the next writer where it was cut off:

1. the new seed is durable beside the old one (``next``)
2. the statement is sealed, signed by the old key
3. the checkpoint, signed by both, is durable as last signed, then published
4. the file of rotations is replaced: from now on readers ask for the new key
5. the new seed takes the place of the old one
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from custody.errors import LogError, StoreError
from custody.ledger.entry import StatementEntry
from custody.ledger.note import Signer, Verifier, open_note, sign
from custody.ledger.policy import Log, Policy
from custody.store.layout import ROTATIONS
from custody.store.storefile import StoreFile

STATEMENT = "key-rotation"
TITLE = "custody key rotation v1"
MOST = 1000
"""Rotations of one log, at most."""

_NOTES = msgspec.json.Decoder(list[str])


def rotation_note(origin: str, old: Signer, new: Signer) -> str:
    """The note of a rotation from ``old`` to ``new``."""
    return sign("".join(f"{line}\n" for line in (TITLE, origin, old.vkey, new.vkey)), [old, new]).decode()


def follow(origin: str, vkey: str, note: str) -> str:
    """The key after ``vkey`` by the rotation ``note``. LogError where it is not one, or not signed by both keys."""
    lines = note.partition("\n\n")[0].split("\n")
    if len(lines) != 4 or lines[:3] != [TITLE, origin, vkey]:
        raise LogError("not a rotation of this key", found=repr(note[:200]), expected=f"{TITLE} of {vkey}")
    for verifier in map(Verifier.parse, lines[2:]):
        if verifier.name != origin:
            raise LogError("a rotation to another log's key", found=verifier.name, expected=origin)
        open_note(note.encode(), [verifier])
    return lines[3]


def followed(policy: Policy, notes: Sequence[str]) -> Policy:
    """``policy``, with every key that a log of it was rotated to by ``notes``. LogError where one of these is wrong.

    Notes about keys that the policy does not trust lead nowhere.
    """
    logs = list(policy.logs)
    for note in notes:
        _, _, old, *_ = [*note.split("\n"), "", "", ""]
        known = [log.vkey for log in logs]
        if old in known and next_key(note) not in known:
            logs.append(Log(follow(old.partition("+")[0], old, note)))
    return msgspec.structs.replace(policy, logs=tuple(logs))


def next_key(note: str) -> str:
    """The key that a rotation goes to, as its note says; empty where it says none."""
    lines = note.partition("\n\n")[0].split("\n")
    return lines[3] if len(lines) == 4 else ""


def is_rotation(entry: StatementEntry) -> bool:
    """Whether a statement seals a rotation."""
    return entry.what == STATEMENT


def encode(notes: Sequence[str]) -> bytes:
    """The file of rotations, in its one form."""
    return msgspec.json.format(msgspec.json.encode(list(notes)), indent=1) + b"\n"


def decode(data: bytes) -> tuple[str, ...]:
    """The notes in a file of rotations, none of them checked. LogError where it is not one in its one form."""
    try:
        notes = _NOTES.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LogError("not a file of key rotations", found=str(error)) from None
    if encode(notes) != data or len(notes) > MOST:
        raise LogError("not a file of key rotations", found="another form")
    return tuple(notes)


def read_rotations(root: Path) -> tuple[str, ...]:
    """The notes in the store's file of rotations, none where there is none. StoreError where it is damaged."""
    path = root / ROTATIONS
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ()
    try:
        return decode(data)
    except LogError as error:
        raise StoreError("the file of key rotations is damaged", where=str(path), found=error.found) from None


def keys_of(root: Path, store: StoreFile) -> tuple[str, ...]:
    """Every key that the operations log ever had, the one that signs now last. StoreError where the chain breaks."""
    keys = [store.vkey]
    for number, note in enumerate(read_rotations(root)):
        try:
            keys.append(follow(store.origin, keys[-1], note))
        except (LogError, ValueError) as error:
            where = f"{root / ROTATIONS}, rotation {number}"
            raise StoreError(f"a key rotation does not hold: {error}", where=where) from None
    return tuple(keys)
