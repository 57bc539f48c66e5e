"""The broker's watch over the log of approvals: read-only, under one key, each decision weighed once.

What is taken was signed: entries are hashed and held against the root of a checkpoint under the pinned key, and what
was read before must still be there. A log under another key, or one that was set back or changed, is never believed
again by this watcher: ``problem`` says so, and nothing more is approved. A log that is only being written, or cannot be
read at the moment, is looked at again the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from custody.broker.approvals.decision import Decision, Given, read
from custody.broker.approvals.people import Persons
from custody.broker.approvals.weighing import Held, View, approved_of, stands, weigh
from custody.errors import CustodyError, LogError, StoreError
from custody.ledger.entry import StatementEntry, decode
from custody.ledger.merkle import leaf_hash, root_of
from custody.model.brokered import Approved
from custody.model.times import microseconds
from custody.store import layout
from custody.store.approvals import stored_vkey
from custody.store.history import Said
from custody.store.logfiles import LogFiles, open_checkpoint
from custody.store.storefile import read_store_file

Recheck = Callable[[Decision, Sequence[Said]], tuple[str, ...]]
"""The names that the signature of an SSH decision proves, from the statements of the log alone; none where it does not
hold."""

Lookup = Callable[[str], Held | None]
"""The broker's own request by its id."""


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """Whose decisions are taken. ``vkey`` pins the key of the log (empty: the first that is seen).

    ``persons`` gives what the register says of people, asked for at each look.
    """

    broker: str
    vkey: str
    groups: Mapping[str, Sequence[str]]
    recheck: Recheck
    persons: Callable[[], Persons] = Persons


class Watcher:
    """Looks for new decisions. ``problem`` says why nothing is taken, empty where all is well.

    ``vkey`` is the key of the log once it was seen: the caller keeps it, so that trust on first sight is trust in one
    key. Not for several threads at once.
    """

    def __init__(self, root: Path, trust: Trust, requests: Lookup) -> None:
        self._root, self._trust, self._requests = root, trust, requests
        self._files = LogFiles(root, layout.APPROVALS)
        self._origin = layout.origin_of(read_store_file(root).store, layout.APPROVALS)
        self._mark: tuple[int, int, int] | None = None
        self._hashes: list[bytes] = []
        self._said: list[Said] = []
        self._before: dict[str, list[Given]] = {}
        self._found: list[Approved] = []
        self._waiting: list[Said] = []
        self._forked = False
        self.vkey = trust.vkey
        self.problem = ""

    def since(self, leaf: int, now: int) -> tuple[Approved, ...]:
        """The decisions about requests of this broker from ``leaf`` on, in order, each weighed when it was first seen.

        What is below ``leaf`` is in the broker's log already: it is weighed as of when it was given, and not given
        again. ``now`` is in µs. The log is read only where its checkpoint is another file than at the last look.
        Raises nothing of its own: see ``problem``. While there is one, a deny may stand in the log that was not taken.
        """
        self._look(leaf, now)
        self._found = [each for each in self._found if each.leaf >= leaf]
        return tuple(self._found)

    def _look(self, taken: int, now: int) -> None:
        mark = self._seen()
        if self._forked or mark is None or (mark == self._mark and not self._waiting):
            return
        try:
            if mark != self._mark:
                self._waiting += self._read()
                self._mark = mark
            persons = self._trust.persons() if self._waiting else Persons()
            while self._waiting:
                self._take(self._waiting[0], persons, taken, now)
                del self._waiting[0]
        except (CustodyError, OSError, ValueError) as error:
            self.problem = str(error)
            return
        self.problem = ""

    def _take(self, said: Said, persons: Persons, taken: int, now: int) -> None:
        given = read(said.leaf, said.entry)
        if given is not None and given.decision.broker == self._trust.broker:
            self._found.append(self._weighed(given, persons, _given_at(given) if given.leaf < taken else now))

    def _seen(self) -> tuple[int, int, int] | None:
        """What tells one checkpoint file from another without reading it."""
        try:
            found = (self._root / layout.log_path("checkpoint", layout.APPROVALS)).stat()
        except OSError:
            if self._hashes:
                self._fork("the log of approvals is gone")
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> list[Said]:
        """The new statements, once they are seen to be under the signed root, behind all that was read before."""
        note, vkey = self._files.checkpoint_note(), stored_vkey(self._root)
        if note is None or vkey is None:
            raise StoreError("the log of approvals has no checkpoint or no key", where=str(self._root))
        if self.vkey and vkey != self.vkey:
            raise self._fork("the log of approvals has another key", found=vkey, expected=self.vkey)
        point = open_checkpoint(note, vkey=vkey, origin=self._origin, where=layout.APPROVALS)
        known = len(self._hashes)
        if point.size < known:
            raise self._fork("the log of approvals was set back", found=f"size {point.size}", expected=f"{known} on")
        raw = list(self._files.entries(known, point.size, point.size))
        hashes = [*self._hashes, *(leaf_hash(each) for _, each in raw)]
        if root_of(hashes) != point.root:
            if point.size == known or root_of(self._stored(known)) != root_of(self._hashes):
                raise self._fork("the log of approvals does not continue what was read of it")
            raise LogError("entries of the log of approvals are not those that were signed", where=layout.APPROVALS)
        new = [Said(leaf, entry) for leaf, each in raw if isinstance(entry := decode(each), StatementEntry)]
        self._hashes, self.vkey = hashes, vkey
        self._said += new
        return new

    def _stored(self, size: int) -> list[bytes]:
        return [leaf_hash(raw) for _, raw in self._files.entries(0, size, size)]

    def _fork(self, message: str, found: str = "", expected: str = "") -> StoreError:
        self._forked = True
        error = StoreError(message, where=layout.APPROVALS, found=found, expected=expected)
        self.problem = str(error)
        return error

    def _weighed(self, given: Given, persons: Persons, now: int) -> Approved:
        """What the broker writes of one decision."""
        before = self._before.setdefault(given.decision.request, [])
        held = self._requests(given.decision.request)
        why = weigh(given.decision, held, self._view(given.decision, persons, now), before)
        if stands(why):
            before.append(given)
        return approved_of(given, held, why)

    def _view(self, decision: Decision, persons: Persons, now: int) -> View:
        proved = self._trust.recheck(decision, self._said) if decision.method == "ssh" else ()
        return View(broker=self._trust.broker, now=now, persons=persons, groups=self._trust.groups, proved=proved)


def _given_at(given: Given) -> int:
    try:
        return microseconds(given.decision.at) or 0
    except (ValueError, OverflowError):
        return 0
