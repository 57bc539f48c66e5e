"""The reaper: looks at how things stand and ends what should be over. It keeps no plan that a restart could lose."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from custody.broker import ending
from custody.broker.desk import Lease, RequestState, Standing
from custody.broker.running import Running
from custody.broker.state.tables import OVER, parents_of, standing_at
from custody.errors import BackendFailed, BrokerError, CustodyError, NotFound
from custody.model.broker_terms import Ending
from custody.model.brokered import Failed, Service
from custody.model.events import MICROSECONDS

FIRST_AGAIN, LAST_AGAIN = MICROSECONDS, 300 * MICROSECONDS
"""How long after a try that did not end it the next one comes: twice as long each time, up to the second figure."""


class Reaper:
    """Remembers only when to try again."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._again: dict[str, tuple[int, int]] = {}
        self._flying: set[str] = set()
        self._told: set[str] = set()

    async def recover(self) -> int:
        """End what a broker that stopped left half done: plans without an outcome. Gives how many there were."""
        running = self._running
        await self._look_up_parents()
        left = [each for each in running.state.leases.values() if each.standing is Standing.PLANNED]
        for lease in left:
            backend = running.backend(lease.backend)
            if backend is not None and backend.quick:  # made in memory, handed over after its outcome only
                body = Failed(backend=lease.backend, reason="stopped-before-outcome", left="nothing")
                await running.say(body, chain=lease.chain)
            else:
                await ending.end(running, lease.chain, cause="recovered", by=running.parts.broker)
        return len(left)

    async def orphans(self) -> list[str]:
        """Credentials with a receipt of this broker that its log does not know: sealed, not touched.

        One of a chain that the log knows to be over is ended again, and that is sealed too.
        """
        running, found = self._running, []
        for name, backend in running.parts.backends.items():
            try:
                names = await running.call(backend, backend.orphans, self._open)
            except BrokerError:
                continue
            found += [each for each in names if await self._orphaned(name, each)]
        return found

    def _open(self, chain: str) -> bool:
        """Whether a chain is known, and more is to become of it. Asked from a backend's thread."""
        lease = self._running.state.leases.get(chain)
        return lease is not None and lease.standing not in OVER

    async def _orphaned(self, backend: str, chain: str) -> bool:
        """Say of a credential that it is no chain's of the log, or end it again. Whether there was something to say."""
        running = self._running
        fields = {"backend": backend, "chain": chain}
        try:
            lease = await running.lease(chain)
        except NotFound:
            if chain in self._told:
                return False
            self._told.add(chain)
        else:
            fields["standing"] = lease.standing
            try:
                if lease.backend != backend or not await ending.again(running, chain):
                    return False
            except BackendFailed:
                return False  # it is looked for again in some minutes
        await running.say(Service(what="orphan", version=running.parts.version, fields=fields))
        return True

    async def tick(self) -> int:
        """End what is due, a few at a time, and say which requests lapsed; gives how many ends were tried."""
        await self._lapse()
        due = [each for each in self._running.state.leases.values() if self._cause(each) is not None]
        due = [each for each in due if each.chain not in self._flying][: 4 * ending.AT_ONCE]
        await asyncio.gather(*(self._one(each) for each in due))
        return len(due)

    async def _lapse(self) -> None:
        """Say of requests that nobody decided in time that they lapsed."""
        running = self._running
        now = running.now()
        for kept in list(running.state.requests.values()):
            if standing_at(kept, now).state is RequestState.LAPSED:
                fields = {"request": kept.pending.request}
                body = Service(what="lapsed", version=running.parts.version, fields=fields)
                await running.say(body, chain=kept.pending.chain)

    async def _look_up_parents(self) -> None:
        """Find what lives below a parent that is over: a broker that stopped may not have come to it."""
        running = self._running
        for lease in list(running.state.leases.values()):
            for name in parents_of(lease) if lease.standing is Standing.LIVE else ():
                with suppress(NotFound):
                    if (await running.lease(name)).standing not in (Standing.LIVE, Standing.PLANNED):
                        running.state.doomed.add(lease.chain)

    async def _one(self, lease: Lease) -> None:
        running, cause = self._running, self._cause(lease) or ""
        self._flying.add(lease.chain)
        try:
            after = await ending.end(running, lease.chain, cause=cause, by=running.parts.broker)
            if lease.standing is Standing.LIVE:
                await ending.cascade(running, lease.chain, by=running.parts.broker)
            over = after.standing in (Standing.ENDED, Standing.FAILED, Standing.WAITING)
        except CustodyError:
            over = False
        finally:
            self._flying.discard(lease.chain)
        self._plan(lease.chain, over)

    def _plan(self, chain: str, over: bool) -> None:
        if over:
            self._again.pop(chain, None)
            return
        _, wait = self._again.get(chain, (0, FIRST_AGAIN // 2))
        wait = min(2 * wait, LAST_AGAIN)
        self._again[chain] = (self._running.now() + wait, wait)

    def _cause(self, lease: Lease) -> str | None:
        """Why a lease has to end now, None where it does not."""
        running = self._running
        now = running.now()
        if self._again.get(lease.chain, (0, 0))[0] > now:
            return None
        match lease.standing:
            case Standing.ENDING | Standing.SURVIVING:
                return lease.cause or "recovered"
            case Standing.WAITING if running.over(lease):
                return lease.cause
            case Standing.LIVE:
                return self._of_live(lease)
        return None

    def _of_live(self, lease: Lease) -> str | None:
        running = self._running
        if any(each in running.state.contained for each in (lease.identity, *lease.identities)):
            return "containment"
        if lease.chain in running.state.doomed:
            return "parent"
        if lease.ends is not Ending.EXPIRY and running.over(lease):
            return "expired"
        return None
