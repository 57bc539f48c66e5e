"""The way of a request, from a proved caller to a credential: decide, seal the intent, issue, seal the outcome.

What is sealed when: the request with its decision and plan before the backend is called; what came of it before
anything is handed over. A broker that stops between any two steps leaves either no credential or a sealed plan that
the reaper ends (``reaping``).

Under break-glass nobody approves first. What it takes instead: a policy that says so and names who approves afterwards,
whose request is sealed before anything is made; a life that ends before their time is over; a line that says it aloud.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from hashlib import sha256

import msgspec

from custody.broker import ending
from custody.broker import intent as intents
from custody.broker.asking import Asking
from custody.broker.backends.backend import Backend, Made, Order
from custody.broker.clock import chain_id, request_id
from custody.broker.desk import Handed, Standing
from custody.broker.policy.engine import Situation
from custody.broker.running import Running
from custody.broker.shown import lapses, shown_of
from custody.errors import (
    ApprovalNeeded,
    BackendFailed,
    BrokerError,
    EvidenceUnavailable,
    IntentRefused,
    NotFound,
    PolicyDenied,
)
from custody.model.broker_terms import ApprovalRef, Decision, Intent, Plan, Verdict
from custody.model.brokered import Approved, Entry, Failed, Issued, Refused, Request
from custody.model.events import MICROSECONDS
from custody.model.times import microseconds, text


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One request on its way. ``request`` and ``chain`` are new, or those of the request that was approved.

    ``review`` and ``review_by``: see ``model.brokered.Request``.
    """

    asking: Asking
    intent: Intent
    backend: Backend
    action: str
    request: str
    chain: str
    digest: str | None = None
    approvers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    approvals: tuple[ApprovalRef, ...] = ()
    review: str | None = None
    review_by: str | None = None


def task(running: Running, asking: Asking, intent: Intent, *, action: str = "Issue") -> Task:
    """A new request. IntentRefused where the broker has no such backend, or it would prolong a break-glass."""
    if intent.break_glass and action != "Issue":
        raise IntentRefused(
            "what was issued under break-glass is not renewed",
            reason="break-glass-renewed",
            where="break_glass",
            advice="Ask for another one: somebody has to approve that as well.",
        )
    backend = running.backend(intent.backend)
    if backend is None:
        known = ", ".join(sorted(running.parts.backends))
        raise IntentRefused("there is no such backend", reason="unknown-backend", where="backend", expected=known)
    now, random = running.now(), running.parts.random
    if asking.parents:
        if intent.parent is not None and intent.parent not in asking.parents:
            raise IntentRefused("the parent is not what was presented", reason="parent-not-presented", where="parent")
        intent = msgspec.structs.replace(intent, parent=intent.parent or asking.parents[0])
    request, chain = request_id(now, random), chain_id(now, random)
    return Task(asking=asking, intent=intent, backend=backend, action=action, request=request, chain=chain)


async def refuse(running: Running, asking: Asking, error: BrokerError) -> None:
    """Seal that a proved caller was refused before any decision."""
    body = Refused(
        reason=error.reason,
        detail=str(error),
        proof=asking.holder,
        origin=asking.origin,
        trace=asking.trace,
    )
    await running.say(body)


async def undisturbed(running: Running, work: Coroutine[object, object, Handed]) -> Handed:
    """Do the whole of the work also when the caller goes away: what is made then is undone."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(lambda done: _undelivered(running, done))
        raise


def _undelivered(running: Running, done: asyncio.Future[Handed]) -> None:
    if not done.cancelled() and done.exception() is None:
        running.spawn(ending.by_chain(running, done.result().chain, cause="undelivered", by=running.parts.broker))


async def go(running: Running, one: Task) -> Handed:
    """Decide, and where it is allowed issue. Nobody ends the chain while it is made: they wait, and end it then."""
    if one.intent.break_glass and one.digest is not None:
        raise IntentRefused("it was issued when it was asked for", reason="break-glass-issued", where=one.request)
    decision = await _decide(running, one)
    if decision.verdict is not Verdict.ALLOW:
        await _say_no(running, one, decision)
    order = _order(running, one, await _ttl(running, one, decision))
    plan = one.backend.plan(order)
    async with running.alone(one.chain):
        if one.intent.break_glass:
            one = await _ask_afterwards(running, one, decision)
        entry = await running.say(_request(running, one, decision, plan), chain=one.chain)
        if _contained(running, one) is not None:
            await running.say(_nothing(one, "contained"), chain=one.chain)
            raise PolicyDenied("the identity is contained", reason="contained", found=_contained(running, one) or "")
        handed = await _issue(running, one, decision, msgspec.structs.replace(order, decided=entry.seq), plan)
    await _still_wanted(running, one)
    return handed


def _contained(running: Running, one: Task) -> str | None:
    """An identity that takes part and is contained."""
    identities = (one.asking.registered.identity, *one.asking.identities)
    return next((each for each in identities if each in running.state.contained), None)


async def once_more(running: Running, one: Task) -> Decision:
    """Decide again what was issued a moment ago, for a repetition. PolicyDenied, sealed, for anything but an allow.

    Nothing is asked of people for a repetition: where they would have to agree now it is denied.
    """
    decision = await _decide(running, one)
    if decision.verdict is Verdict.APPROVAL:
        decision = intents.denied(decision, "approval-needed")
    if decision.verdict is not Verdict.ALLOW:
        await _say_no(running, one, decision)
    return decision


async def answered(running: Running, said: Approved) -> None:
    """End what was issued under break-glass when the one who was asked afterwards denies it."""
    if said.verdict != "deny" or not said.counts:
        return
    kept = running.state.requests.get(said.request)
    kept = kept or await asyncio.to_thread(running.parts.tables.request, said.request)
    if kept is not None and kept.body.intent.break_glass and kept.pending.chain is not None:
        chain, by = kept.pending.chain, said.approver
        with suppress(NotFound):  # it was asked for, and never made
            await ending.by_chain(running, chain, cause=intents.GLASS, by=by, reason=said.reason)


async def _ask_afterwards(running: Running, one: Task, decision: Decision) -> Task:
    """Seal the request in which people are asked to approve what is about to be issued, before it is."""
    asking = msgspec.structs.replace(one.asking, once=None)
    request = request_id(running.now(), running.parts.random)
    about = msgspec.structs.replace(one, request=request, asking=asking)
    body = _request(running, about, msgspec.structs.replace(decision, verdict=Verdict.APPROVAL, why=""), None)
    by = text(lapses(body))
    await running.say(msgspec.structs.replace(body, review_by=by), chain=one.chain)
    return msgspec.structs.replace(one, review=request, review_by=by)


async def _decide(running: Running, one: Task) -> Decision:
    """What the policies say; an open containment is a deny whatever they say."""
    asking, parts = one.asking, running.parts
    contained = _contained(running, one) is not None
    situation = Situation(
        action=one.action,
        now=running.now(),
        environment=parts.environment,
        proof=asking.holder,
        subject=None if asking.subject is asking.holder else asking.subject,
        intent=one.intent,
        registered=asking.registered,
        backend_kind=one.backend.kind,
        ttl=_longest(running, one),
        actors=asking.actors,
        approvers=one.approvers,
        contained=contained,
        parent_live=await _parent_live(running, one),
        origin=asking.origin,
    )
    broken = one.intent.break_glass
    decision = intents.broken(parts.policies, situation, one.chain) if broken else parts.policies.decide(situation)
    if decision.verdict is not Verdict.DENY and (contained or situation.parent_live is False):
        return intents.denied(decision, "contained" if contained else "parent-over")
    return decision


def _others(one: Task) -> tuple[str, ...]:
    """The chains besides the parent that it descends from."""
    return tuple(each for each in one.asking.parents if each != one.intent.parent)


async def _parent_live(running: Running, one: Task) -> bool | None:
    """Whether every chain that this one descends from lives and is the caller's; None without any."""
    chains = dict.fromkeys((*([one.intent.parent] if one.intent.parent else []), *one.asking.parents))
    if not chains:
        return None
    return all([await _lives(running, one, chain) for chain in chains])


async def _lives(running: Running, one: Task, chain: str) -> bool:
    try:
        parent = await running.lease(chain)
    except NotFound:
        return False
    asking = one.asking
    mine = parent.workload in (asking.holder.workload, asking.subject.workload) or parent.chain in asking.parents
    return mine and parent.standing is Standing.LIVE and not running.over(parent)


def _longest(running: Running, one: Task) -> int:
    least = min(running.parts.ttls.get(one.intent.backend, one.backend.max_ttl), one.backend.max_ttl)
    return least if one.intent.ttl is None else min(one.intent.ttl, least)


async def _ttl(running: Running, one: Task, decision: Decision) -> int:
    """The least of what was asked for, what policy and backend allow, and what is left of each parent, in seconds."""
    ttl = _longest(running, one)
    if decision.max_ttl is not None:
        ttl = min(ttl, decision.max_ttl)
    if one.intent.break_glass and decision.asked is not None:  # unapproved, it is over when somebody should have
        ttl = min(ttl, intents.GLASS_TTL, decision.asked.within)
    for chain in {*one.asking.parents, *([one.intent.parent] if one.intent.parent else [])}:
        parent = await running.lease(chain)
        ttl = min(ttl, max(0, (parent.not_after - running.now()) // MICROSECONDS))
    return ttl


def _order(running: Running, one: Task, ttl: int) -> Order:
    asking = one.asking
    return Order(
        chain=one.chain,
        broker=running.parts.broker,
        intent=one.intent,
        subject=asking.subject.workload,
        identity=asking.registered.identity,
        ttl=ttl,
        now=running.now(),
        actors=tuple(each.subject for each in asking.actors),
        certificate=asking.holder.digest if asking.holder.method == "spiffe-x509" else None,
    )


def _request(running: Running, one: Task, decision: Decision, plan: Plan | None) -> Request:
    asking = one.asking
    body = Request(
        request=one.request,
        digest=one.digest or "",
        proof=asking.subject,
        intent=one.intent,
        decision=decision,
        actors=asking.actors,
        registered=asking.registered,
        identities=asking.identities if len(asking.identities) > 1 else (),
        approvals=one.approvals,
        plan=plan,
        origin=asking.origin,
        idempotency=asking.once,
        trace=asking.trace,
        parents=_others(one),
        review=one.review,
        review_by=one.review_by,
    )
    if one.digest is not None or decision.asked is None:
        return body  # nobody is shown it
    digest = sha256(shown_of(body, running.parts.broker, one.chain)).hexdigest()
    return msgspec.structs.replace(body, digest=digest)


async def _say_no(running: Running, one: Task, decision: Decision) -> None:
    body = _request(running, one, decision, None)
    await running.say(body, chain=one.chain)
    if decision.verdict is Verdict.APPROVAL and decision.asked is not None:
        asked = decision.asked
        raise ApprovalNeeded(
            f"{asked.count} of {asked.group} have to approve within {asked.within} s",
            reason="approval-needed",
            found=one.request,
            advice=f"Ask for the credential again with request={one.request} when they have.",
        )
    reason = decision.why if decision.why in ("contained", "parent-over") else "policy-denied"
    by = ", ".join(each.id for each in decision.policies) or decision.why or "no policy permits it"
    raise PolicyDenied("the policies do not allow this", reason=reason, where=one.request, found=by)


async def _issue(running: Running, one: Task, decision: Decision, order: Order, plan: Plan) -> Handed:
    try:
        made = await running.call(one.backend, one.backend.issue, order, plan)
    except BackendFailed as error:
        body = Failed(
            backend=one.backend.name, reason=error.reason, left="unknown" if error.left_unknown else "nothing"
        )
        await running.say(body, chain=one.chain)
        raise
    except BaseException:  # nobody foresaw it, so nobody knows what is left
        await running.say(Failed(backend=one.backend.name, reason="unforeseen", left="unknown"), chain=one.chain)
        raise
    try:
        entry = await running.say(_issued(running, one, decision, made, order), chain=one.chain)
        if one.intent.break_glass:
            by, due = one.asking.holder.workload, (one.review, one.review_by)
            for each in intents.aloud(one.intent, one.chain, made, by, due):
                await running.say(each, chain=one.chain)
    except EvidenceUnavailable:
        await ending.quietly(running, one.backend, one.chain, plan, made)
        raise
    return _handed(one, decision, made, order, entry)


async def _still_wanted(running: Running, one: Task) -> None:
    """Whether what was issued may still be handed over: somebody may have ended it, or more than it, in between."""
    contained = _contained(running, one) is not None
    if contained or await _parent_live(running, one) is False:
        cause = "containment" if contained else "parent"
        await ending.by_chain(running, one.chain, cause=cause, by=running.parts.broker)
        reason = "contained" if contained else "parent-over"
        raise PolicyDenied("it is not allowed any more", reason=reason, found=one.asking.registered.identity)
    if one.chain in running.unwanted or (await running.lease(one.chain)).standing is not Standing.LIVE:
        raise PolicyDenied("it was ended while it was made", reason="revoked", found=one.chain)


def _issued(running: Running, one: Task, decision: Decision, made: Made, order: Order) -> Issued:
    asking, holder = one.asking, one.asking.holder
    return Issued(
        request=one.request,
        decided=order.decided,
        backend=one.backend.name,
        type=made.type,
        ends=one.backend.ends,
        keys=made.keys,
        not_after=str(text(made.not_after)),
        requester=holder.workload,
        workload=holder.workload,
        identity=asking.registered.identity,
        subject=made.subject,
        granularity=holder.granularity,
        run=holder.run,
        parent=holder.credential,
        scope=made.scope,
        resource=one.intent.resource,
        audience=one.intent.audience,
        policies=decision.policies,
        policy_set=decision.policy_set,
        approval=f"approval:{running.parts.broker}:{one.request}" if one.approvals else None,
        renews=one.intent.renews,
        descends=one.intent.parent,
        reason=one.intent.reason,
        server=made.server,
        trace=asking.trace,
        parents=_others(one),
    )


def _handed(one: Task, decision: Decision, made: Made, order: Order, entry: Entry) -> Handed:
    at = microseconds(entry.at) or order.now
    return Handed(
        chain=one.chain,
        request=one.request,
        receipt=f"{one.chain}@{order.decided}",
        type=made.type,
        secrets=made.secrets,
        facts=made.facts,
        keys=made.keys,
        not_after=made.not_after,
        expires_in=max(0, (made.not_after - at) // MICROSECONDS),
        scope=made.scope,
        decision=decision,
        identity=one.asking.registered.identity,
        ends=one.backend.ends,
        review=one.review,
        review_by=one.review_by,
    )


def _nothing(one: Task, reason: str) -> Failed:
    return Failed(backend=one.backend.name, reason=reason, left="nothing")
