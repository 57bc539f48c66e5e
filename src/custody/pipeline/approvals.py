"""The log of approvals beside the operations log: read, and held to account.

Whoever brings the tables up to date first seals the checkpoint of the log of approvals in the operations log, where it
is another than the last that was sealed (``approvals-checkpoint``). What is derived rests on the statements below that
checkpoint and on none after it, so that the operations log alone says on what an answer rested.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from custody.errors import CustodyError, LogError, StoreError, StoreForked
from custody.ledger.checkpoint import Checkpoint
from custody.ledger.note import encode64
from custody.ledger.proof import root_at
from custody.settings.catalog import Settings
from custody.store import approvals, layout
from custody.store.approvals import Approvals
from custody.store.approvals_check import SEALED
from custody.store.history import Said
from custody.store.keyring import APPROVALS_LAST_SIGNED, read_last_signed, stored_vkey
from custody.store.logfiles import LogFiles, open_checkpoint
from custody.store.reader import Reader
from custody.store.storefile import read_store_file
from custody.store.writer import Writer

LOG = approvals.NAME
ADVICE = "`custody verify` says what is wrong; nothing is judged over a log of approvals that was changed."


class Log(msgspec.Struct, frozen=True):
    """Statements of the log of approvals, in order of leaf."""

    said: tuple[Said, ...] = ()

    def statements(self, what: str) -> list[Said]:
        """Those of a kind."""
        return [each for each in self.said if each.entry.what == what]


def everything(root: Path) -> Log:
    """What stands in the log of approvals now; empty where there is none."""
    found = approvals.read(root)
    return Log() if found is None else Log(found.said)


def covered(reader: Reader) -> Log:
    """What stands below the checkpoint that the operations log sealed last. StoreError where that is gone."""
    last = reader.statements(SEALED)
    if not last:
        return Log()
    found = approvals.read(reader.root)
    if found is None:
        raise StoreError("the log of approvals is gone", where=str(reader.root / layout.APPROVALS), advice=ADVICE)
    size = _sealed(last[-1].entry.fields, found).size
    return Log(tuple(each for each in found.said if each.leaf < size))


def cross(writer: Writer, root: Path) -> bool:
    """Seal the checkpoint of the log of approvals, where there is a new one; gives whether.

    StoreForked where it does not continue the one that was sealed last, StoreError where it is gone.
    """
    found, last = approvals.read(root), writer.last_statement(SEALED)
    if found is None:
        if last is not None:
            raise StoreError("the log of approvals is gone", where=str(root / layout.APPROVALS), advice=ADVICE)
        return False
    if last is not None:
        before = _sealed(last, found)
        if before == found.checkpoint:
            return False
        _check_continues(root, before, found)
    writer.seal(SEALED, {"vkey": found.vkey, "note": found.note.decode()})
    return True


def _sealed(fields: Mapping[str, object], found: Approvals) -> Checkpoint:
    """The checkpoint that a statement seals, under the key of the log as it is."""
    try:
        note = str(fields.get("note")).encode()
        return open_checkpoint(note, vkey=found.vkey, origin=found.checkpoint.origin, where="approvals-checkpoint")
    except (LogError, StoreError) as error:
        raise _forked(f"it is another log: {error}") from None


def _check_continues(root: Path, before: Checkpoint, found: Approvals) -> None:
    files = LogFiles(root, layout.APPROVALS)
    try:
        if before.size > found.checkpoint.size or root_at(before.size, files.read) != before.root:
            raise LogError("another tree", found=f"size {found.checkpoint.size}")
    except LogError as error:
        raise _forked(str(error)) from None


def _forked(why: str) -> StoreForked:
    return StoreForked(
        f"the log of approvals does not continue what was sealed of it: {why}", where=layout.APPROVALS, advice=ADVICE
    )


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """The log of approvals as ``verify`` tells of it.

    ``trusted`` says whose word its key is; ``enforced`` whether this account is kept from the key of one log, ``why``
    in words. ``size`` and ``root`` (base64) are None where its checkpoint could not be believed.
    """

    origin: str
    vkey: str
    trusted: str
    size: int | None
    root: str | None
    enforced: bool
    why: str


def own_vkey(settings: Settings) -> str | None:
    """The key of the log of approvals in the folder of its keys, None where this account has or may read none."""
    return stored_vkey(settings.approval_keys, _folder(settings))


def beside(settings: Settings, given: str | None) -> Beside | None:
    """What there is to say of the log of approvals, None where there is none; ``given`` is a key from elsewhere."""
    vkey = approvals.stored_vkey(settings.store)
    if vkey is None:
        return None
    store = read_store_file(settings.store)
    try:
        found = approvals.read(settings.store)
    except CustodyError:
        found = None
    apart = approvals.separation(settings.keys, settings.approval_keys, store)
    return Beside(
        origin=layout.origin_of(store.store, layout.APPROVALS),
        vkey=vkey,
        trusted=_trusted(settings, given),
        size=None if found is None else found.checkpoint.size,
        root=None if found is None else encode64(found.checkpoint.root),
        enforced=apart.enforced,
        why=apart.why,
    )


def behind(settings: Settings) -> tuple[tuple[str, str] | None, tuple[str, str] | None]:
    """How the log of approvals stands to the note beside its key: what is damaged, and what is unfinished."""
    try:
        note = read_last_signed(settings.approval_keys / _folder(settings), APPROVALS_LAST_SIGNED)
        found = None if note is None else approvals.read(settings.store)
    except (OSError, CustodyError):
        return None, None  # the key is another account's, or the log is damaged, which is said already
    if note is None:
        return None, None
    path, files = layout.log_path("checkpoint", layout.APPROVALS), LogFiles(settings.store, layout.APPROVALS)
    if found is None:
        return (path, "it is gone, and a checkpoint of it was signed"), None
    try:
        last = open_checkpoint(note, vkey=found.vkey, origin=found.checkpoint.origin, where="the last signed")
        if root_at(last.size, files.read) != last.root:
            raise LogError("another tree")
    except (LogError, StoreError) as error:
        return (path, f"it does not continue the last signed checkpoint: {error}"), None
    if last.size > found.checkpoint.size:
        return None, (path, f"a statement up to {last.size} is signed, not published")
    return None, None


def _folder(settings: Settings) -> str:
    return f"{read_store_file(settings.store).store}-{approvals.NAME}"


def _trusted(settings: Settings, given: str | None) -> str:
    if given is not None:
        return "the key that was given"
    if own_vkey(settings) is not None:
        return "the folder of its keys"
    with Reader.open(settings.store) as reader:
        sealed = reader.statements(SEALED)
    return "the operations log, which sealed it" if sealed else "its own word"
