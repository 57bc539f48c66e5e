"""The broker itself: what may be asked of it (``desk.Desk``), put together from the rooms beside this file."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import TypeVar

import msgspec

from custody.broker import containing, ending, issuing
from custody.broker import intent as intents
from custody.broker.approvals.tally import tally
from custody.broker.asking import Asking, prove
from custody.broker.desk import (
    Caller,
    Containment,
    Ended,
    Handed,
    Item,
    Lease,
    Page,
    Pending,
    Person,
    RequestState,
    Standing,
)
from custody.broker.issuing import Task
from custody.broker.parts import Parts
from custody.broker.reaping import Reaper
from custody.broker.running import REMEMBERED, Running
from custody.broker.shown import shown_of
from custody.broker.state.tables import Kept, as_of, standing_at
from custody.broker.tolling import Refusals
from custody.errors import ApprovalNeeded, IdentityRefused, IntentRefused, NotFound, PolicyDenied
from custody.model.broker_terms import Actor, Intent, Proof, Registered
from custody.model.brokered import Service

R = TypeVar("R")


class Broker:
    """See ``desk.Desk``, whose methods these are."""

    def __init__(self, parts: Parts) -> None:
        self.running = Running(parts)
        self.reaper = Reaper(self.running)
        self.refusals = Refusals(self.running)
        self._flying: dict[str, tuple[str, asyncio.Future[Handed]]] = {}
        self._unclaimed: dict[str, int] = {}

    async def start(self) -> None:
        """Take up the state, end what was left half done. From here on it issues."""
        running, parts = self.running, self.running.parts
        await running.start()
        await running.say(Service(what="started", version=parts.version))
        left = await self.reaper.recover()
        if left:
            fields = {"plans": str(left)}
            await running.say(Service(what="recovered", version=parts.version, fields=fields))
        await self.reaper.orphans()
        running.serving = True

    async def stop(self) -> None:
        """Say that it stops, and write behind what is left."""
        running = self.running
        running.serving = False
        if running.open:
            await self.refusals.stop()
            await running.say(Service(what="stopped", version=running.parts.version))
            running.open = False
        await running.write_behind()

    async def tick(self) -> None:
        """End what is due, and what nobody came back for while it was remembered; seal what was counted."""
        await self.refusals.tick()
        now = self.running.now()
        for chain in [each for each, until in self._unclaimed.items() if until <= now]:
            del self._unclaimed[chain]
            await ending.by_chain(self.running, chain, cause="undelivered", by=self.running.parts.broker)
        await self.reaper.tick()

    async def exchange(self, caller: Caller, intent: Intent) -> Handed:
        """Prove, decide, issue and hand over."""
        asking = await prove(self.running, caller, self.refusals)

        async def task() -> Task:
            if intent.renews is not None:
                raise IntentRefused("its lease renews it", reason="invalid-parameter", where="renews")
            return issuing.task(self.running, asking, intents.check(intent, self.running.parts.secretive))

        async def fresh() -> Handed:
            return await issuing.go(self.running, await task())

        return await self._once(asking, msgspec.json.encode(intent), self._told(asking, fresh), task)

    async def fetch(self, caller: Caller, request: str) -> Handed:
        """Issue what was approved."""
        asking = await prove(self.running, caller, self.refusals)

        async def fresh() -> Handed:
            async with self.running.alone(request):
                kept = await self._approved(asking, request)
                old = kept.body.intent.renews
                if old is None:
                    return await issuing.go(self.running, _again(self.running, asking, kept))
                return await self._renewed(asking, old, lambda _: _again(self.running, asking, kept))

        async def task() -> Task:
            return _again(self.running, asking, await self._kept(request))

        return await self._once(asking, request.encode(), self._told(asking, fresh), task, request=request)

    async def renew(self, caller: Caller, chain: str, *, reason: str, ttl: int | None = None) -> Handed:
        """A successor for a live credential."""
        asking = await prove(self.running, caller, self.refusals)

        def successor(lease: Lease) -> Task:
            intent = msgspec.structs.replace(
                lease.intent, renews=chain, reason=reason, ttl=ttl if ttl is not None else lease.intent.ttl
            )
            checked = intents.check(intent, self.running.parts.secretive)
            return _heir(issuing.task(self.running, asking, checked, action="Renew"), lease.parents)

        async def fresh() -> Handed:
            return await self._renewed(asking, chain, successor)

        async def task() -> Task:
            return successor(await self._own(asking, chain))

        return await self._once(asking, msgspec.json.encode((chain, reason, ttl)), self._told(asking, fresh), task)

    async def _renewed(self, asking: Asking, chain: str, task: Callable[[Lease], Task]) -> Handed:
        """Issue the successor of a live lease of the caller's own, and end the lease."""
        async with self.running.alone(f"renew {chain}"):
            lease = await self._own(asking, chain)
            if lease.standing is not Standing.LIVE or lease.renewals or self.running.over(lease):
                raise IntentRefused("only a live credential is renewed, once", reason="not-live", where=chain)
            self.running.state.adopt(lease)
            one = task(lease)
            handed = await issuing.go(self.running, one)
            by, reason = asking.holder.workload, one.intent.reason or ""
            await ending.by_chain(self.running, chain, cause="renewed", by=by, reason=reason)
            return handed

    def _told(self, asking: Asking, fresh: Callable[[], Awaitable[R]]) -> Callable[[], Awaitable[R]]:
        """The same, where a refusal before any decision is sealed before it is raised."""

        async def told() -> R:
            try:
                return await fresh()
            except (IntentRefused, IdentityRefused) as error:
                await issuing.refuse(self.running, asking, error)
                raise

        return told

    async def complete(self, caller: Caller, chain: str) -> Ended:
        """The workload gives its credential back."""
        asking = await prove(self.running, caller, self.refusals)
        try:
            await self._own(asking, chain)
        except IdentityRefused as error:
            await issuing.refuse(self.running, asking, error)
            raise
        by, proof = asking.holder.workload, asking.holder
        return await ending.by_chain(self.running, chain, cause="complete", by=by, proof=proof)

    async def revoke(self, person: Person, chain: str, *, reason: str) -> Ended:
        """An operator ends a credential and what descends from it."""
        return await ending.by_chain(self.running, chain, cause="operator", by=person.key, reason=reason)

    async def contain(self, person: Person, identity: str, *, reason: str, incident: str | None = None) -> list[Lease]:
        """Stop issuing to an identity and end what lives."""
        return await containing.contain(self.running, person, identity, reason=reason, incident=incident)

    async def checklist(self, identity: str) -> list[Item]:
        """What re-enablement needs."""
        return await containing.checklist(self.running, identity)

    async def enable(self, person: Person, identity: str, *, reason: str) -> list[Item]:
        """End a containment."""
        return await containing.enable(self.running, person, identity, reason=reason)

    async def lease(self, chain: str) -> Lease:
        """One lease, as it stands now."""
        return as_of(await self.running.lease(chain), self.running.now())

    async def leases(self, page: Page, *, identity: str | None = None, standing: str | None = None) -> list[Lease]:
        """Leases by chain id."""
        await self.running.write_behind()
        tables, now = self.running.parts.tables, self.running.now()
        return list(await asyncio.to_thread(tables.leases, page, now=now, identity=identity, standing=standing))

    async def request(self, request: str) -> Pending:
        """One request that needed approval."""
        return self._view(await self._kept(request))

    async def requests(self, page: Page, *, state: str | None = None) -> list[Pending]:
        """Requests that needed approval, by id."""
        await self.running.write_behind()
        found = await asyncio.to_thread(self.running.parts.tables.requests, page, now=self.running.now(), state=state)
        return [self._view(each) for each in found]

    async def containments(self) -> list[Containment]:
        """The open containments."""
        return [each for _, each in sorted(self.running.state.contained.items())]

    async def poll_approvals(self) -> int:
        """Take in what people decided since the last time; gives how many decisions there were."""
        running = self.running
        async with running.alone("approvals"):
            given = await asyncio.to_thread(running.parts.approvals, running.state.approvals)
            fresh = [each for each in given if each.leaf >= running.state.approvals]
            for each in fresh:
                kept = running.state.requests.get(each.request)
                await running.say(each, chain=None if kept is None else kept.pending.chain)
                await issuing.answered(running, each)
        return len(fresh)

    async def _approved(self, asking: Asking, request: str) -> Kept:
        """A request that may be issued now to the one who asks: the same workloads and run, approved, in time."""
        await self.poll_approvals()
        kept = await self._kept(request)
        body, state = kept.body, self._view(kept).state
        if _who(body.proof, body.actors, body.registered) != _who(asking.subject, asking.actors, asking.registered):
            raise IdentityRefused("another one asked for this", reason="another-requester", where=request)
        if state is RequestState.PENDING:
            raise ApprovalNeeded("people have to approve", reason="approval-needed", found=request)
        if state is not RequestState.APPROVED:
            raise IntentRefused("the request cannot be issued", reason=f"request-{state}", where=request, found=state)
        return kept

    async def _kept(self, request: str) -> Kept:
        kept = self.running.state.requests.get(request)
        if kept is None:
            kept = await asyncio.to_thread(self.running.parts.tables.request, request)
        if kept is None:
            raise NotFound("there is no such request", where=request[:64])
        return kept

    def _view(self, kept: Kept) -> Pending:
        pending = standing_at(kept, self.running.now())
        shown = shown_of(kept.body, self.running.parts.broker, pending.chain or "")
        return msgspec.structs.replace(pending, shown=shown.decode())

    async def _own(self, asking: Asking, chain: str) -> Lease:
        """The caller's own lease. To anybody else it is as if there were none."""
        lease = await self.running.lease(chain)
        if lease.workload != asking.holder.workload or (lease.run is not None and lease.run != asking.holder.run):
            raise IdentityRefused("the lease is another's", reason="another-holder", where=chain)
        return lease

    async def _once(
        self,
        asking: Asking,
        what: bytes,
        fresh: Callable[[], Awaitable[Handed]],
        task: Callable[[], Awaitable[Task]],
        *,
        request: str | None = None,
    ) -> Handed:
        """The same answer for the same key of the same caller who asks for the same; never a second credential.

        ``task`` is what the policies are asked about again for a repetition.
        """
        key = asking.once
        if key is None:
            return await issuing.undisturbed(self.running, _started(fresh))
        mark = sha256(what + msgspec.json.encode(_who(asking.subject, asking.actors, asking.registered))).hexdigest()
        flying = self._flying.get(key)
        if flying is not None:
            return self._claimed(await _same(flying[0], mark, flying[1]))

        async def first() -> Handed:
            remembered = self.running.remembered(f"{key} {mark}")
            if remembered is not None:
                return await self._repeated(remembered, asking, await self._told(asking, task)())
            await self._check_unused(asking, key, request)
            handed = await fresh()
            self.running.remember(f"{key} {mark}", handed)
            self._unclaimed[handed.chain] = self.running.now() + REMEMBERED
            return handed

        work = asyncio.ensure_future(first())
        self._flying[key] = (mark, work)
        work.add_done_callback(lambda _: self._flying.pop(key, None))
        return self._claimed(await asyncio.shield(work))

    def _claimed(self, handed: Handed) -> Handed:
        """Somebody is there to take it."""
        self._unclaimed.pop(handed.chain, None)
        return handed

    async def _repeated(self, handed: Handed, asking: Asking, one: Task) -> Handed:
        """A credential that was handed over already, once more: only while it lives and the policies allow it still.

        That it was handed over again is sealed, and so is a refusal. PolicyDenied.
        """
        await self._check_lives(handed, asking)
        decision = await issuing.once_more(self.running, one)
        fields = {"request": handed.request, "policy_set": decision.policy_set, "decided": decision.request}
        body = Service(what="repeated", version=self.running.parts.version, fields=fields)
        await self.running.say(body, chain=handed.chain)
        await self._check_lives(handed, asking)
        return handed

    async def _check_lives(self, handed: Handed, asking: Asking) -> None:
        lease = await self.running.lease(handed.chain)
        names = (lease.identity, *lease.identities, *asking.identities)
        contained = any(each in self.running.state.contained for each in names)
        if lease.standing is not Standing.LIVE or contained or self.running.over(lease):
            error = PolicyDenied("the credential was ended", reason="revoked", found=handed.chain)
            await issuing.refuse(self.running, asking, error)
            raise error

    async def _check_unused(self, asking: Asking, key: str, request: str | None) -> None:
        """A key that was used goes on only to fetch what it asked for; while that is undecided it is asked for once."""
        used = self.running.state.once.get(key) or await asyncio.to_thread(self.running.parts.tables.once, key)
        if used is None or used.until <= self.running.now() or used.request == request:
            return
        kept = self.running.state.requests.get(used.request)
        if kept is not None and self._view(kept).state in (RequestState.PENDING, RequestState.APPROVED):
            raise ApprovalNeeded("people have to approve", reason="approval-needed", found=used.request)
        error = IntentRefused(
            "the idempotency key was used", reason="idempotency-key-used", where="Idempotency-Key", found=used.request
        )
        await issuing.refuse(self.running, asking, error)
        raise error


async def _started(fresh: Callable[[], Awaitable[Handed]]) -> Handed:
    return await fresh()


def _who(subject: Proof, actors: tuple[Actor, ...], registered: Registered | None) -> list[str | None]:
    """Everything that says who asks: two who differ in any of it are two."""
    told = [subject.issuer, subject.workload, subject.run, registered.identity if registered else None]
    for actor in actors:
        proof = actor.proof
        told += [actor.issuer, actor.subject, proof.issuer if proof else None, proof.workload if proof else None]
        told += [proof.run if proof else None]
    return told


async def _same(mark: str, mine: str, work: asyncio.Future[Handed]) -> Handed:
    if mark != mine:
        raise IntentRefused("the idempotency key is in use", reason="idempotency-key-used", where="Idempotency-Key")
    return await asyncio.shield(work)


def _heir(one: Task, parents: tuple[str, ...]) -> Task:
    """The same, also below the chains that what it goes on from is below."""
    mine = tuple(dict.fromkeys((*one.asking.parents, *parents)))
    return msgspec.structs.replace(one, asking=msgspec.structs.replace(one.asking, parents=mine))


def _again(running: Running, asking: Asking, kept: Kept) -> Task:
    """The request that was approved, on its way once more: same id, chain, intent and digest, decided afresh."""
    body, pending = kept.body, kept.pending
    one = issuing.task(running, asking, body.intent, action="Renew" if body.intent.renews else "Issue")
    one = _heir(one, body.parents)
    asked = body.decision.asked
    assert asked is not None
    grants = tally(kept.given, asked, body.digest, running.now()).granted
    return msgspec.structs.replace(
        one,
        intent=body.intent,
        request=body.request,
        chain=pending.chain or one.chain,
        digest=body.digest,
        approvers=tuple((each.approver, (pending.group,)) for each in grants),
        approvals=grants,
    )
