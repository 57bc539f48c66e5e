"""The desk of the approvals process: what its service asks of it. Each method reads the store as it is then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock

from custody.broker.approvals.people import Persons
from custody.broker.desk import RequestState
from custody.errors import IntentRefused
from custody.pipeline import approvals
from custody.pipeline.approving.deciding import Decided, Place, Wanted, Who, decide, drafted
from custody.pipeline.approving.rechecking import persons
from custody.pipeline.approving.requests import Requests, Shown
from custody.pipeline.approving.standing import Groups, Standing, standing
from custody.store.reader import Reader

Clock = Callable[[], int]
"""Gives the time in microseconds."""


class ApprovalDesk:
    """Requests and decisions about them. Its methods may be called from several threads: one of them works at a time.

    ``groups`` are those of the broker's file, ``by`` the account that seals, as the system names it. ``broker``: only
    requests of this one are shown, None: of any.
    """

    def __init__(
        self, root: Path, keys: Path, clock: Clock, *, by: str, groups: Groups = None, broker: str | None = None
    ) -> None:
        self._root, self._keys, self._clock, self._by = root, keys, clock, by
        self._groups, self._broker = groups, broker
        self._requests = Requests(root)
        self._turn = Lock()

    def every(self, state: RequestState | None = None) -> list[Standing]:
        """The requests that needed approval, by id; with ``state`` those that stand so."""
        with self._turn:
            self._requests.look()
            found = [each for each in self._requests.every() if self._mine(each)]
            known, log, now = self._persons(), approvals.everything(self._root), self._clock()
            shown = [self._standing(each, log, known, now) for each in found]
        return [each for each in shown if state is None or each.state is state]

    def one(self, request: str, digest: str | None = None) -> Standing:
        """One request. NotFound where it is not sealed, UsageError where ``digest`` is not its own."""
        with self._turn:
            shown = self._found(request, digest)
            return self._standing(shown, approvals.everything(self._root), self._persons(), self._clock())

    def decide(self, request: str, digest: str, wanted: Wanted, who: Who) -> Decided:
        """Seal a decision about exactly the request whose digest this is. See ``deciding.decide`` for the errors."""
        with self._turn:
            shown, now = self._found(request, digest), self._clock()
            place = Place(root=self._root, keys=self._keys, by=self._by, groups=self._groups, persons=self._persons())
            if self._requests.issued(request) and wanted.verdict != "deny":
                raise IntentRefused("a credential was issued for it already", reason="too-late", where=request)
            return decide(place, shown, drafted(shown, wanted, now), who, now)

    def _found(self, request: str, digest: str | None) -> Shown:
        self._requests.look()
        return self._requests.one(request, digest, self._broker)

    def _mine(self, shown: Shown) -> bool:
        return self._broker is None or shown.entry.broker == self._broker

    def _persons(self) -> Persons:
        with Reader.open(self._root) as reader:
            return persons(reader)

    def _standing(self, shown: Shown, log: approvals.Log, known: Persons, now: int) -> Standing:
        issued = self._requests.issued(shown.request.request)
        return standing(shown, log, known, self._groups, now=now, issued=issued)
