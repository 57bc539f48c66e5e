"""``verify`` for the log of approvals: every tile, its key, and that the two logs agree about each other.

1. the log by ``ledger.fsck``: signature, root, every tile and bundle, nothing else
2. its key is the one held from elsewhere, and the one that the operations log has sealed
3. its entries are statements, each closed as a commit
4. it continues every checkpoint of it that the operations log has sealed
5. every statement names a tree of the operations log that is this one's
6. what a statement of the operations log saw of it (``approvals``: size and root) is what it is
7. no statement of either log saw less of the other than one before it: logs only grow
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from custody.errors import CustodyError, LogError, StoreError
from custody.ledger import fsck
from custody.ledger.checkpoint import Checkpoint
from custody.ledger.entry import SegmentEntry, StatementEntry, decode
from custody.ledger.fsck_tiles import Problem
from custody.ledger.note import decode64, encode64
from custody.ledger.proof import root_at
from custody.store import layout
from custody.store.approvals import stored_vkey
from custody.store.history import History, Said
from custody.store.inventory import damage, in_store, log_listing
from custody.store.logfiles import LogFiles, open_checkpoint
from custody.store.rotation import keys_of
from custody.store.storefile import read_store_file

SEALED = "approvals-checkpoint"
"""The statement of the operations log that seals a checkpoint of the log of approvals: ``vkey`` and ``note``."""

SEEN = "approvals"
"""The field in which a statement of the operations log says what it saw of the log of approvals: size and root."""
_NOTHING = encode64(sha256(b"").digest())
MOST = 100


def check(root: Path, history: History, operations: LogFiles, point: Checkpoint, vkey: str | None) -> list[Problem]:
    """What is wrong with the log of approvals, nothing where there is none and none was ever sealed."""
    sealed = [said.entry.fields for said in history.said if said.entry.what == SEALED]
    seen = [said for said in history.said if SEEN in said.entry.fields]
    known = bool(sealed) or any(said.entry.fields[SEEN] != [0, _NOTHING] for said in seen)
    files = LogFiles(root, layout.APPROVALS)
    own = stored_vkey(root)
    if files.checkpoint_note() is None and own is None:
        return [damage(layout.APPROVALS, "the log of approvals is gone")] if known else []
    if own is None:
        checkpoint = layout.log_path("checkpoint", layout.APPROVALS)
        return [damage(checkpoint, f"nothing says whose it is: {layout.APPROVALS_VKEY} is missing")]
    if files.checkpoint_note() is None:
        return [damage(layout.APPROVALS, "the log of approvals is gone")] if known else []
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
    problems += _agrees(operations, _grown(root, operations, point, collected.said), collected.said)
    return problems + _seen(files, report.checkpoint, seen)


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


def _grown(root: Path, operations: LogFiles, point: Checkpoint, said: Sequence[Said]) -> Checkpoint:
    """The operations log as it is by now, where it grew while it was checked and a statement saw that; else ``point``.

    What is newer has to be signed, and to continue what was checked.
    """
    if all((_size(one, "operations") or 0) <= point.size for one in said):
        return point
    try:
        vkey = keys_of(root, read_store_file(root))[-1]
        note = operations.checkpoint_note() or b""
        newer = open_checkpoint(note, vkey=vkey, origin=point.origin, where=layout.log_path("checkpoint"))
        fsck.check_consistency(operations.read, point, newer)
    except CustodyError:
        return point
    return newer


def _size(one: Said, name: str) -> int | None:
    """The size of the other log that a statement says it saw."""
    seen = one.entry.fields.get(name)
    return seen[0] if isinstance(seen, list) and len(seen) == 2 and type(seen[0]) is int else None


def _agrees(operations: LogFiles, point: Checkpoint, said: Sequence[Said]) -> list[Problem]:
    """What every statement saw of the operations log is what that is."""
    problems = []
    for one in said:
        why = _another(one.entry.fields.get("operations"), operations, point)
        if why:
            told = f"leaf {one.leaf}: it was said over another operations log: {why}"
            problems.append(damage(layout.APPROVALS, told))
    less = _less(said, "operations")
    problems += [
        damage(layout.APPROVALS, f"leaf {leaf}: it was said over an older operations log: {why}") for leaf, why in less
    ]
    return problems[:MOST]


def _seen(approvals: LogFiles, point: Checkpoint, said: Sequence[Said]) -> list[Problem]:
    """What statements of the operations log saw of this log is what it is."""
    problems = []
    for one in said:
        why = _another(one.entry.fields[SEEN], approvals, point)
        if why:
            problems.append(damage(layout.APPROVALS, f"leaf {one.leaf} of the operations log saw another one: {why}"))
    less = _less(said, SEEN)
    problems += [
        damage(layout.APPROVALS, f"leaf {leaf} of the operations log saw an older one: {why}") for leaf, why in less
    ]
    return problems[:MOST]


def _less(said: Sequence[Said], name: str) -> Iterator[tuple[int, str]]:
    """The leaves whose statements saw less of the other log than one before them, and what they saw."""
    most = 0
    for one in said:
        size = _size(one, name)
        if size is not None and size < most:
            yield one.leaf, f"size {size}, after {most}"
        most = max(most, size or 0)


def _another(seen: object, log: LogFiles, point: Checkpoint) -> str:
    """Why ``[size, root]`` is of another log than this, whose checkpoint is ``point``; empty where it is of this."""
    size, root = seen if isinstance(seen, list) and len(seen) == 2 else (None, None)
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= point.size:
        return f"size {str(size)[:20]}, this has {point.size}"
    try:
        return "" if root_at(size, log.read) == decode64(str(root)) else f"the root at size {size} differs"
    except LogError as error:
        return str(error)
