"""What each receiver has still to be told: a small file per receiver beside the store, and the log itself.

The steps are in the logs for good, so nothing that is to be told can be lost with a queue: the file says how far the
receiver was told, and which steps before that it was not. It is written after each event that was taken; a kill between
the two tells that event again, under the same id. Where the file is lost, open incidents are told again from their
beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from custody.errors import StoreError
from custody.incidents.telling.forms import named
from custody.model.leaf import LeafRef
from custody.pipeline.approvals import LOG as APPROVALS
from custody.pipeline.incidents.reading import OPERATIONS, Record
from custody.store.disk import RealDisk, disk_error, replace
from custody.store.lock import hold

FOLDER = "told"
MODE = 0o700


class Told(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far one receiver was told of the steps in store ``store``.

    Of each log every step below the leaf named here was looked at; ``waiting`` are those of them (``LOG:LEAF``) that
    were not told yet, ``claimed`` those that were told as claimed: they are told once more when their effect is seen.
    """

    store: str
    operations: int = 0
    approvals: int = 0
    waiting: tuple[str, ...] = ()
    claimed: tuple[str, ...] = ()

    def passed(self, leaf: LeafRef) -> bool:
        """Whether a step is behind it."""
        return leaf.index < (self.approvals if leaf.log == APPROVALS else self.operations)


class Outbox:
    """The file of one receiver, held by one process at a time (``outbox``)."""

    def __init__(self, path: Path, store: str) -> None:
        self._path, self._store, self._disk = path, store, RealDisk()
        self.told = self._read()

    def pending(self, record: Record) -> list[LeafRef]:
        """The steps that are to be told: those that wait, and those that are new. All of them wait from now on."""
        every = [each.leaf for each in record.heard]
        told = self.told
        if told is None:
            over = {each.id for each in record.incidents if each.closed is not None}
            fresh = [each.leaf for each in record.heard if each.step.incident not in over]
        else:
            self._check_ahead(told, record)
            waits = set(told.waiting)
            fresh = [each for each in every if named(each) in waits or not told.passed(each)]
        self._write(
            Told(
                store=self._store,
                operations=_past(every, OPERATIONS),
                approvals=_past(every, APPROVALS),
                waiting=tuple(map(named, fresh)),
                claimed=() if told is None else told.claimed,
            )
        )
        return fresh

    def claimed(self, record: Record) -> list[LeafRef]:
        """The steps that were told as claimed, and not since."""
        known = set() if self.told is None else set(self.told.claimed)
        return [each.leaf for each in record.heard if named(each.leaf) in known]

    def done(self, leaf: LeafRef, *, sure: bool = True) -> None:
        """A step was told, or is not for this receiver; ``sure``: there is nothing more to tell of it."""
        assert self.told is not None
        waiting = tuple(each for each in self.told.waiting if each != named(leaf))
        claimed = tuple(each for each in self.told.claimed if each != named(leaf))
        if not sure:
            claimed = (*claimed, named(leaf))
        self._write(msgspec.structs.replace(self.told, waiting=waiting, claimed=claimed))

    def _check_ahead(self, told: Told, record: Record) -> None:
        """A store that was set back would have its next steps passed over in silence."""
        if told.operations > record.size:
            raise StoreError(
                "more was told than the log holds: the store was set back",
                where=str(self._path),
                found=f"{told.operations} leaves",
                expected=f"at most {record.size}",
                advice="Remove the file: open incidents are then told again from their beginning.",
            )

    def _read(self) -> Told | None:
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=Told)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError:
            raise StoreError(
                "how far a receiver was told cannot be read",
                where=str(self._path),
                advice="Remove the file: open incidents are then told again from their beginning.",
            ) from None
        return found if found.store == self._store else None

    def _write(self, told: Told) -> None:
        if told != self.told:
            try:
                replace(self._disk, self._path, msgspec.json.encode(told))
            except OSError as error:
                raise disk_error(error, where=str(self._path), doing="noting what was told") from error
        self.told = told


def folder_of(store: Path) -> Path:
    """Where the files are: ``<store>-incidents/told`` beside the store, which holds only what its log accounts for."""
    return store.with_name(f"{store.name}-incidents") / FOLDER


@contextmanager
def outbox(store: Path, name: str, store_id: str, wait: float = 0.0) -> Iterator[Outbox]:
    """The outbox of the receiver ``name``. StoreLocked where another process has it for all of ``wait`` seconds."""
    folder = folder_of(store)
    try:
        folder.mkdir(mode=MODE, parents=True, exist_ok=True)
        lock = hold(folder / f"{name}.lock", wait)
    except OSError as error:
        raise disk_error(error, where=str(folder), doing="noting what was told") from error
    try:
        yield Outbox(folder / f"{name}.json", store_id)
    finally:
        lock.release()


def _past(leaves: Iterable[LeafRef], log: str) -> int:
    return max((each.index + 1 for each in leaves if each.log == log), default=0)
