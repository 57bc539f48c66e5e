"""What each receiver has still to be told: a small file per receiver beside the store, and the log itself.

The steps are in the logs for good, so nothing that is to be told can be lost with a queue: the file says how far the
receiver was told, and which steps before that it was not. It is written after each event that was taken; a kill between
the two tells that event again, under the same id. Where the file is lost, open incidents are told again from their
beginning.

What went wrong is in the file, too: since when the receiver is away, and which messages it refused. One that it refused
often enough is set aside, so that it holds back its incident no longer; it is named until somebody has it told again.
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
MOST_REFUSALS = 10
"""How often a message is refused before it is set aside."""
MOST_WHY = 300
FIRST_REST, LONGEST_REST = 5.0, 300.0
"""Seconds for which a receiver that is away is left alone: at first, and at most."""
_SECOND = 1_000_000


class Trouble(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step that was not taken: how often it was tried, first and last (µs), until when it rests (µs), and why."""

    step: str
    times: int
    first: int
    last: int
    why: str
    rests: int = 0


class Told(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far one receiver was told of the steps in store ``store``.

    Of each log every step below the leaf named here was looked at; ``waiting`` are those of them (``LOG:LEAF``) that
    were not told yet, ``claimed`` those that were told as claimed: they are told once more when their effect is seen.
    ``away`` is since when the receiver takes nothing, ``refused`` what it refused, ``aside`` what was set aside then.
    """

    store: str
    operations: int = 0
    approvals: int = 0
    waiting: tuple[str, ...] = ()
    claimed: tuple[str, ...] = ()
    away: Trouble | None = None
    refused: tuple[Trouble, ...] = ()
    aside: tuple[Trouble, ...] = ()

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
        before = told or Told(store=self._store)
        if told is None:
            over = {each.id for each in record.incidents if each.closed is not None}
            fresh = [each.leaf for each in record.heard if each.step.incident not in over]
        else:
            self._check_ahead(told, record)
            waits = set(told.waiting)
            fresh = [each for each in every if named(each) in waits or not told.passed(each)]
        self._write(
            msgspec.structs.replace(
                before,
                operations=max(before.operations, _past(every, OPERATIONS)),
                approvals=max(before.approvals, _past(every, APPROVALS)),
                waiting=tuple(map(named, fresh)),
            )
        )
        return fresh

    def is_behind(self, record: Record) -> bool:
        """Whether a record was read before somebody else told more than it holds: then it has to be read again."""
        decisions = _past((each.leaf for each in record.heard), APPROVALS)
        return self.told is not None and (self.told.operations > record.size or self.told.approvals > decisions)

    def claimed(self, record: Record) -> list[LeafRef]:
        """The steps that were told as claimed, and not since."""
        known = set() if self.told is None else set(self.told.claimed)
        return [each.leaf for each in record.heard if named(each.leaf) in known]

    def done(self, leaf: LeafRef, *, sure: bool = True) -> None:
        """A step was told, or is not for this receiver; ``sure``: there is nothing more to tell of it."""
        told, name = self._known(), named(leaf)
        claimed = _without(told.claimed, name)
        self._write(
            msgspec.structs.replace(
                told,
                waiting=_without(told.waiting, name),
                claimed=claimed if sure else (*claimed, name),
                away=None,
                refused=tuple(each for each in told.refused if each.step != name),
                aside=tuple(each for each in told.aside if each.step != name),
            )
        )

    def gone(self, leaf: LeafRef, why: str, now: int, after: float = 0.0) -> None:
        """The receiver is away: it rests for a while, at least ``after`` seconds."""
        told = self._known()
        again = _again(told.away, named(leaf), why, now)
        rest = max(min(FIRST_REST * 2 ** min(again.times - 1, 20), LONGEST_REST), after)
        resting = msgspec.structs.replace(again, rests=now + int(rest * _SECOND))
        self._write(msgspec.structs.replace(told, away=resting))

    def refuse(self, leaf: LeafRef, why: str, now: int) -> bool:
        """The receiver refused a step. Whether it is set aside now."""
        told, name = self._known(), named(leaf)
        before = next((each for each in told.refused if each.step == name), None)
        again = _again(before, name, why, now)
        others = tuple(each for each in told.refused if each.step != name)
        if again.times < MOST_REFUSALS:
            self._write(msgspec.structs.replace(told, away=None, refused=(*others, again)))
            return False
        waiting, aside = _without(told.waiting, name), (*told.aside, again)
        self._write(msgspec.structs.replace(told, away=None, refused=others, aside=aside, waiting=waiting))
        return True

    def take_up(self) -> None:
        """Have everything that was set aside told again, and a receiver that rests tried at once."""
        if self.told is not None:
            back = tuple(each.step for each in self.told.aside if each.step not in self.told.waiting)
            waiting = (*back, *self.told.waiting)
            self._write(msgspec.structs.replace(self.told, aside=(), refused=(), away=None, waiting=waiting))

    def rests(self, now: int) -> bool:
        """Whether the receiver is away and has to be left alone for now (µs)."""
        away = None if self.told is None else self.told.away
        return away is not None and away.last <= now < away.rests

    def _known(self) -> Told:
        assert self.told is not None
        return self.told

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


def _without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(each for each in names if each != name)


def _again(before: Trouble | None, step: str, why: str, now: int) -> Trouble:
    """The same trouble once more."""
    first, times = (now, 0) if before is None else (before.first, before.times)
    return Trouble(step=step, times=times + 1, first=first, last=now, why=why[:MOST_WHY])
