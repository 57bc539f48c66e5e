"""``verify`` for the log of approvals: every tile, its key, and that the two logs agree about each other.

1. the log by ``ledger.fsck``: signature, root, every tile and bundle, nothing else
2. its key is the one held from elsewhere, and the one that the operations log has sealed
3. its entries are statements, each closed as a commit
4. it continues every checkpoint of it that the operations log has sealed
5. every statement names a tree of the operations log that is this one's
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from custody.errors import CustodyError, LogError, StoreError
from custody.ledger import fsck
from custody.ledger.checkpoint import Checkpoint
from custody.ledger.entry import SegmentEntry, StatementEntry, decode
from custody.ledger.fsck_tiles import Problem
from custody.ledger.note import decode64
from custody.ledger.proof import root_at
from custody.store import layout
from custody.store.approvals import stored_vkey
from custody.store.history import History, Said
from custody.store.inventory import damage, in_store, log_listing
from custody.store.logfiles import LogFiles, open_checkpoint

SEALED = "approvals-checkpoint"
"""The statement of the operations log that seals a checkpoint of the log of approvals: ``vkey`` and ``note``."""

MOST = 100


def check(root: Path, history: History, operations: LogFiles, point: Checkpoint, vkey: str | None) -> list[Problem]:
    """What is wrong with the log of approvals, nothing where there is none and none was ever sealed."""
    sealed = [said.entry.fields for said in history.said if said.entry.what == SEALED]
    files = LogFiles(root, layout.APPROVALS)
    own = stored_vkey(root)
    if files.checkpoint_note() is None and own is None:
        return [damage(layout.APPROVALS, "the log of approvals is gone")] if sealed else []
    if own is None:
        checkpoint = layout.log_path("checkpoint", layout.APPROVALS)
        return [damage(checkpoint, f"nothing says whose it is: {layout.APPROVALS_VKEY} is missing")]
    if files.checkpoint_note() is None:
        return [damage(layout.APPROVALS, "the log of approvals is gone")] if sealed else []
    expected = [vkey] if vkey is not None else [str(each.get("vkey")) for each in sealed[-1:]]
    wrong = [damage(layout.APPROVALS_VKEY, f"found {own}, expected {one}") for one in expected if one != own]
    collected = _Statements()
    paths, temporary = log_listing(root, layout.APPROVALS)
    try:
        report = fsck.check_log(files.read, paths, own, on_entries=collected.take)
    except LogError as error:
        return [*wrong, damage(layout.APPROVALS_VKEY, str(error))]
    problems = [*wrong, *in_store(report.problems, layout.APPROVALS), *temporary, *collected.problems]
    if report.checkpoint is None:
        return problems
    problems += _continues(files, report.checkpoint, sealed, own)
    return problems + _agrees(operations, point, collected.said)


class _Statements:
    """Takes the entries as they are read: the statements, and what is none."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.problems: list[Problem] = []

    def take(self, first: int, entries: Sequence[bytes]) -> None:
        """The entries from leaf ``first`` on."""
        for leaf, raw in enumerate(entries, first):
            try:
                entry = decode(raw)
            except CustodyError as error:
                self._name(leaf, str(error))
                continue
            if isinstance(entry, StatementEntry):
                self.said.append(Said(leaf, entry))
            elif not isinstance(entry, SegmentEntry) or (entry.file, entry.first, entry.end) != (
                None,
                leaf - 1,
                leaf - 1,
            ):
                self._name(leaf, "neither a statement nor the end of its commit")

    def _name(self, leaf: int, text: str) -> None:
        if len(self.problems) < MOST:
            self.problems.append(damage(layout.APPROVALS, f"leaf {leaf}: {text}"))


def _continues(files: LogFiles, point: Checkpoint, sealed: Sequence[Mapping[str, object]], vkey: str) -> list[Problem]:
    problems = []
    for each in sealed:
        try:
            note = str(each.get("note")).encode()
            other = open_checkpoint(note, vkey=vkey, origin=point.origin, where="a checkpoint that was sealed")
            fsck.check_consistency(files.read, other, point)
        except (LogError, StoreError) as error:
            problems.append(damage(layout.APPROVALS, f"it does not continue what the operations log sealed: {error}"))
    return problems[:MOST]


def _agrees(operations: LogFiles, point: Checkpoint, said: Sequence[Said]) -> list[Problem]:
    """What every statement saw of the operations log is what that is."""
    problems = []
    for one in said:
        seen = one.entry.fields.get("operations")
        size, root = seen if isinstance(seen, list) and len(seen) == 2 else (None, None)
        try:
            if not isinstance(size, int) or size > point.size or root_at(size, operations.read) != decode64(str(root)):
                raise LogError("another operations log", found=f"size {size}")
        except LogError as error:
            problems.append(damage(layout.APPROVALS, f"leaf {one.leaf}: it was said over {error}"))
    return problems[:MOST]
