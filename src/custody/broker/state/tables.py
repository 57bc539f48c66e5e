"""Where the broker's state is kept: a seam over a database, and the fake beside it.

The tables are written behind the journal: what they hold is the fold of every entry up to ``through``, in one
transaction with it. They are asked for what is not in memory any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol, TypeVar

import msgspec

from custody.broker.approvals.tally import tally
from custody.broker.desk import Containment, Lease, Page, Pending, RequestState, Standing
from custody.model.broker_terms import Ending
from custody.model.brokered import Approved, Request

T = TypeVar("T")

OVER = frozenset({Standing.ENDED, Standing.FAILED})
"""How a lease stands when nothing more becomes of it."""
UNDECIDED = frozenset({RequestState.PENDING, RequestState.APPROVED})
"""How a request stands of which something may still become."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A request that needed approval: as it stands, the entry that asked, and the decisions of people that count."""

    pending: Pending
    body: Request
    given: tuple[Approved, ...] = ()


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """An idempotency key that was used: SHA-256 of workload and key, for which request, until when it holds (µs)."""

    key: str
    request: str
    chain: str | None
    digest: str
    until: int


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of entries changed: the rows as they now are. ``through`` is the last seq, ``prev`` its digest."""

    through: int
    leases: tuple[Lease, ...] = ()
    requests: tuple[Kept, ...] = ()
    containments: tuple[Containment, ...] = ()
    enabled: tuple[str, ...] = ()
    once: tuple[Once, ...] = ()
    approvals: int = 0


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker starts with: all that is not over."""

    through: int
    approvals: int
    leases: tuple[Lease, ...]
    requests: tuple[Kept, ...]
    containments: tuple[Containment, ...]


class Tables(Protocol):
    """The kept state. Every method may block: the broker calls it in a thread. StoreError where the database fails."""

    def save(self, changes: Changes) -> None:
        """Keep the changes, all or none. Saving what is saved already (by ``through``) changes nothing."""
        ...

    def load(self, now: int) -> Loaded:
        """Open leases (of those that only expire: those that have not), undecided requests, open containments.

        From here on the tables are this broker's: what an earlier one still writes is refused.
        """
        ...

    def lease(self, chain: str) -> Lease | None:
        """One lease."""
        ...

    def leases(
        self, page: Page, *, now: int, identity: str | None = None, standing: str | None = None
    ) -> Sequence[Lease]:
        """Leases in order of chain id, each as it stands at ``now`` (see ``as_of``), also for the filter."""
        ...

    def held_by(self, identity: str, *, now: int) -> Sequence[Lease]:
        """The leases that are not over at ``now`` and that an identity holds or takes part in, in order of chain id."""
        ...

    def below(self, chain: str, *, now: int) -> Sequence[Lease]:
        """The leases that descend from one directly, by either parent, and are not over at ``now``."""
        ...

    def request(self, request: str) -> Kept | None:
        """One request that needed approval."""
        ...

    def requests(self, page: Page, *, now: int, state: str | None = None) -> Sequence[Kept]:
        """Requests that needed approval, in order of id, each as it stands at ``now``, also for the filter."""
        ...

    def once(self, key: str) -> Once | None:
        """An idempotency key that was used and still holds."""
        ...


class MemoryTables:
    """The fake: keeps everything in memory, through the same contract tests as the real ones."""

    def __init__(self) -> None:
        self._through = self._approvals = 0
        self._leases: dict[str, Lease] = {}
        self._requests: dict[str, Kept] = {}
        self._containments: dict[str, Containment] = {}
        self._once: dict[str, Once] = {}

    def save(self, changes: Changes) -> None:
        """Keep the changes."""
        if changes.through <= self._through:
            return
        self._through = changes.through
        self._approvals = max(self._approvals, changes.approvals)
        self._leases |= {each.chain: each for each in changes.leases}
        self._requests |= {each.pending.request: each for each in changes.requests}
        for identity in changes.enabled:
            self._containments.pop(identity, None)
        self._containments |= {each.identity: each for each in changes.containments}
        self._once |= {each.key: each for each in changes.once}

    def load(self, now: int) -> Loaded:
        """What is not over."""
        return Loaded(
            through=self._through,
            approvals=self._approvals,
            leases=tuple(each for each in self._leases.values() if is_open(each, now)),
            requests=tuple(each for each in self._requests.values() if each.pending.state in UNDECIDED),
            containments=tuple(self._containments.values()),
        )

    def lease(self, chain: str) -> Lease | None:
        """One lease."""
        return self._leases.get(chain)

    def leases(
        self, page: Page, *, now: int, identity: str | None = None, standing: str | None = None
    ) -> Sequence[Lease]:
        """Leases in order of chain id."""
        found = (as_of(each, now) for _, each in sorted(self._leases.items()) if identity in (None, each.identity))
        return _paged((each for each in found if standing in (None, each.standing)), page, lambda each: each.chain)

    def held_by(self, identity: str, *, now: int) -> Sequence[Lease]:
        """The open leases of an identity."""
        return [each for each in self._open(now) if identity in (each.identity, *each.identities)]

    def below(self, chain: str, *, now: int) -> Sequence[Lease]:
        """The open leases that descend from one."""
        return [each for each in self._open(now) if chain in parents_of(each)]

    def request(self, request: str) -> Kept | None:
        """One request."""
        return self._requests.get(request)

    def requests(self, page: Page, *, now: int, state: str | None = None) -> Sequence[Kept]:
        """Requests in order of id."""
        found = (kept_at(each, now) for _, each in sorted(self._requests.items()))
        wanted = (each for each in found if state in (None, each.pending.state))
        return _paged(wanted, page, lambda each: each.pending.request)

    def once(self, key: str) -> Once | None:
        """An idempotency key that was used."""
        return self._once.get(key)

    def _open(self, now: int) -> Iterator[Lease]:
        return (each for _, each in sorted(self._leases.items()) if is_open(each, now))


def parents_of(lease: Lease) -> tuple[str, ...]:
    """Every chain that a lease descends from: the end of any of them ends it."""
    return lease.parents if lease.parent is None else (lease.parent, *lease.parents)


def is_open(lease: Lease, now: int) -> bool:
    """Whether something may still become of a lease: one that lives and only expires is over when it has.

    One whose end was asked for is looked at once more after that.
    """
    if lease.standing in OVER:
        return False
    return lease.ends is not Ending.EXPIRY or lease.not_after > now or lease.standing is not Standing.LIVE


def as_of(lease: Lease, now: int) -> Lease:
    """The lease as it stands at ``now``: one that nothing but time ends is ended when it has expired."""
    if lease.standing in OVER or is_open(lease, now):
        return lease
    return msgspec.structs.replace(
        lease, standing=Standing.ENDED, cause=lease.cause or "expired", ended=lease.not_after
    )


def standing_at(kept: Kept, now: int) -> Pending:
    """How an undecided request stands at ``now`` (µs): grants may have ended, and the request may have lapsed."""
    pending, asked = kept.pending, kept.body.decision.asked
    if pending.state not in UNDECIDED or asked is None:
        return pending
    found = tally(kept.given, asked, pending.digest, now)
    state = RequestState.APPROVED if found.met else RequestState.PENDING
    if found.denied is not None:
        state = RequestState.REJECTED
    elif pending.until < now:
        state = RequestState.LAPSED
    return msgspec.structs.replace(pending, state=state, granted=tuple(each.approver for each in found.granted))


def kept_at(kept: Kept, now: int) -> Kept:
    """The request as it stands at ``now``."""
    return msgspec.structs.replace(kept, pending=standing_at(kept, now))


def _paged(found: Iterable[T], page: Page, name: Callable[[T], str]) -> list[T]:
    after = (each for each in found if page.after is None or name(each) > page.after)
    return list(islice(after, page.limit))
