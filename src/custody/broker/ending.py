"""The end of a credential: asked for, brought about, and looked at; and of everything that descends from it.

The effect is recorded, not the request. What the server's own state shows counts; a probe is made only where that
state cannot be had and the secret is still in memory, and it is sealed before it is made.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Literal

from custody.broker.backends.backend import Backend, Held, Made, Seen
from custody.broker.desk import Ended as EndedLease
from custody.broker.desk import Lease, Standing
from custody.broker.running import Running
from custody.broker.state.fold import held_of
from custody.broker.state.tables import OVER
from custody.errors import BackendFailed, CustodyError
from custody.model.broker_terms import Ending, Plan, Proof
from custody.model.brokered import Effect, EndAsked, Ended, Probed

Basis = Literal["state", "probe", "expiry", "none"]

AT_ONCE = 8
"""Credentials that are ended side by side."""


async def by_chain(
    running: Running, chain: str, *, cause: str, by: str, reason: str = "", proof: Proof | None = None
) -> EndedLease:
    """End a credential and what descends from it; ``proof`` is of the workload that asks for it. NotFound."""
    lease = await end(running, chain, cause=cause, by=by, reason=reason, proof=proof)
    return EndedLease(lease=lease, below=tuple(await cascade(running, chain, by=by)))


async def cascade(running: Running, chain: str, *, by: str) -> list[Lease]:
    """End all that descends from a chain, whatever became of the chain itself."""
    ended: list[Lease] = []
    level = await _below(running, chain)
    while level:
        ended += await several(running, level, cause="parent", by=by, reason=f"descends from {chain}")
        level = [each for one in level for each in await _below(running, one)]
    return ended


async def several(running: Running, chains: list[str], *, cause: str, by: str, reason: str = "") -> list[Lease]:
    """End credentials side by side, a few at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(chain: str) -> Lease:
        async with gate:
            return await end(running, chain, cause=cause, by=by, reason=reason)

    return list(await asyncio.gather(*map(one, chains)))


async def end(
    running: Running, chain: str, *, cause: str, by: str, reason: str = "", proof: Proof | None = None
) -> Lease:
    """End one credential, and look. One that is over already stays as it is."""
    with running.unwanting(chain):
        return await _end(running, chain, EndAsked(cause=cause, by=by, reason=reason, proof=proof))


async def _end(running: Running, chain: str, asked: EndAsked) -> Lease:
    async with running.alone(chain):
        lease = await running.lease(chain, keep=True)
        if lease.standing in OVER or _expired(running, lease):
            return lease
        if lease.standing in (Standing.LIVE, Standing.PLANNED):
            await running.say(asked, chain=chain)
        return await settle(running, await running.lease(chain, keep=True))


async def again(running: Running, chain: str) -> bool:
    """End a credential once more that was found at its backend after it was over. Whether it was there to be ended.

    What the backend's own state shows decides: who listed it may have done so before it was gone.
    """
    async with running.alone(chain):
        lease = await running.lease(chain)
        backend = running.backend(lease.backend)
        if lease.standing not in OVER or backend is None:
            return False
        seen = await running.call(backend, backend.look, held_of(lease))
        if seen.effect in (Effect.GONE, Effect.UNKNOWN):
            return False
        running.state.adopt(lease)
        by = running.parts.broker
        await running.say(EndAsked(cause="recovered", by=by, reason="found again after its end"), chain=chain)
        await settle(running, await running.lease(chain))
        return True


async def settle(running: Running, lease: Lease) -> Lease:
    """Bring about an end that was asked for, and seal what is found where it is news. The chain's lock is held."""
    backend = running.backend(lease.backend)
    if backend is None:
        return lease
    seen, basis = await _bring_about(running, backend, lease)
    if lease.effect is not seen.effect or (lease.standing is Standing.ENDING and lease.tries == 0):
        body = Ended(
            effect=seen.effect,
            basis=basis,
            keys=lease.keys,
            sessions=seen.sessions,
            cause=lease.cause,
            seen=seen.told,
        )
        await running.say(body, chain=lease.chain)
    return await running.lease(lease.chain)


async def quietly(running: Running, backend: Backend, chain: str, plan: Plan, made: Made) -> None:
    """Undo what was made when nothing can be sealed any more: the plan is sealed, so the reaper looks again."""
    held = Held(chain=chain, plan=plan, keys=made.keys, issued=made.not_after, server=made.server)
    with suppress(CustodyError):
        await running.call(backend, backend.end, held)


async def _bring_about(running: Running, backend: Backend, lease: Lease) -> tuple[Seen, Basis]:
    held = held_of(lease)
    with suppress(BackendFailed):  # what became of it is looked at, not assumed
        await running.call(backend, backend.end, held)
    try:
        seen = await running.call(backend, backend.look, held)
    except BackendFailed as error:
        seen = await _probed(running, backend, lease, held) or Seen(
            effect=Effect.UNKNOWN, told={"reason": error.reason}
        )
        return seen, "none" if seen.effect is Effect.UNKNOWN else "probe"
    if seen.effect is Effect.UNKNOWN:
        return seen, "none"
    expiry = seen.effect is Effect.GONE and lease.ends is Ending.EXPIRY
    return seen, "expiry" if expiry else "state"


async def _probed(running: Running, backend: Backend, lease: Lease, held: Held) -> Seen | None:
    """Try the credential itself, where its secret is still in memory. The probe is sealed first."""
    secret = running.secret_of(lease.chain)
    if secret is None or not lease.keys:
        return None
    await running.say(Probed(key=lease.keys[0], target=lease.backend), chain=lease.chain)
    try:
        return await running.call(backend, backend.probe, held, secret)
    except BackendFailed:
        return None


async def _below(running: Running, chain: str) -> list[str]:
    kept = await asyncio.to_thread(running.parts.tables.below, chain, now=running.now())
    rows = {each.chain: each for each in kept}
    known = sorted(rows.keys() | running.state.below.get(chain, set()))
    held = (running.state.leases.get(each, rows.get(each)) for each in known)
    return [each.chain for each in held if each is not None and each.standing not in OVER]


def _expired(running: Running, lease: Lease) -> bool:
    """Whether only time had to end it, and did."""
    return lease.ends is Ending.EXPIRY and lease.standing is Standing.LIVE and running.over(lease)
