"""Preparing a break-glass credential: decided by policy, issued by a backend, sealed for its holders.

What is sealed in the log when: the decision and the plan before the backend is called, what it made before anything is
written, and that it is prepared before the file is there. What breaks off in between leaves a lease that is ended: at
once where this process can, by the broker's reaper or at its expiry where it cannot.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec

from custody.broker import ending, issuing
from custody.broker import intent as intents
from custody.broker.approvals.tally import tally
from custody.broker.asking import Asking
from custody.broker.broker import Broker
from custody.broker.clock import Random
from custody.broker.desk import Handed, RequestState, Standing
from custody.broker.glass import file as glass_file
from custody.broker.glass import sealing
from custody.broker.glass.holders import Holder
from custody.broker.glass.names import account_key, glass_id, reason_of
from custody.broker.running import Running
from custody.broker.state.fold import held_of
from custody.broker.state.tables import standing_at
from custody.errors import (
    BrokerError,
    CustodyError,
    EvidenceUnavailable,
    IdentityRefused,
    IntentRefused,
    NotFound,
    StoreError,
)
from custody.model.broker_terms import Ending, Intent, Proof, Registered
from custody.model.brokered import Glass, Refused, Service
from custody.model.events import MICROSECONDS
from custody.model.times import text
from custody.pipeline.glass.known import ROTATE_BY, WHAT, Card, fields_of

ACTION = "BreakGlass"
NOT_SEALED = "it was not sealed"


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be prepared. ``until`` is in µs; ``by`` says who prepares, as the system names them.

    ``account`` is the name under which the register knows what uses it: ``break_glass:BROKER:ACCOUNT``. ``request`` is
    that of a request that people approved meanwhile. ``replaces`` is the glass in whose place this one comes.
    ``rotate_by`` (µs) is when another one has to be in its place, also if nobody opens it: its end at the latest.
    """

    backend: str
    account: str
    holders: tuple[Holder, ...]
    until: int
    reason: str
    by: str
    scope: tuple[str, ...] = ()
    resource: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    request: str | None = None
    replaces: str | None = None
    rotate_by: int | None = None


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A glass that was prepared: its file, where the log has it, and the request and receipt of its credential."""

    sealed: glass_file.Sealed
    card: Card
    request: str
    receipt: str


async def prepare(broker: Broker, wish: Wish, out: Path, keep: Callable[[Card], None]) -> Prepared:
    """Decide, issue, seal, and write the file to ``out``; its card is kept before that.

    ApprovalNeeded where people have to approve first (then again with ``request``); the other errors of the broker
    where nothing is given; UsageError where the wish makes no sense or the file is there already.
    """
    running = broker.running
    sealing.check_holders(wish.holders)
    reason = reason_of(wish.reason)
    _reserve(out)
    try:
        one = await _task(broker, wish, reason)
        try:
            handed = await issuing.go(running, one)
        except IntentRefused as error:
            await issuing.refuse(running, one.asking, error)
            raise
        try:
            prepared = await _seal(running, wish, handed, one.intent)
            keep(prepared.card)
            _write(out, glass_file.encoded(prepared.sealed))
        except BaseException:
            await _undo(running, handed.chain, wish.by)
            raise
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    return prepared


def proof_of(running: Running, account: str, holders: tuple[Holder, ...], until: str) -> Proof:
    """Nobody proves to be anybody here: the policies are asked about the account, and who could open it."""
    parts = running.parts
    named = "\n".join(sorted(f"{each.holder} {each.key}" for each in holders)).encode()
    digest = sha256(named).hexdigest()
    key = account_key(parts.broker, account)
    claims = {f"holder {number}": f"{each.holder} {each.key}" for number, each in enumerate(holders, 1)}
    return Proof(
        method="break-glass",
        issuer=parts.issuer,
        subject=account,
        workload=key,
        digest=digest,
        key=digest,
        trust=digest,
        expires=until,
        claims={**claims, "needed": str(sealing.NEEDED)},
    )


async def _task(broker: Broker, wish: Wish, reason: str) -> issuing.Task:
    running = broker.running
    if wish.request is not None:
        return await _again(broker, wish, wish.request)
    ttl = (wish.until - running.now()) // MICROSECONDS
    proof = proof_of(running, wish.account, wish.holders, str(text(wish.until)))
    asking = await _asking(running, proof)
    wanted = Intent(
        backend=wish.backend, scope=wish.scope, resource=wish.resource, audience=wish.audience, reason=reason
    )
    try:
        if ttl < 1:
            raise IntentRefused("its end is past", reason="invalid-parameter", where="until", found=proof.expires)
        intents.check(wanted)
        one = issuing.task(running, asking, msgspec.structs.replace(wanted, ttl=ttl), action=ACTION)
        _check_ends(one)
    except IntentRefused as error:
        await issuing.refuse(running, asking, error)
        raise
    return one


async def _asking(running: Running, proof: Proof) -> Asking:
    registered: Registered | None = running.parts.register.find(proof)
    if registered is None:
        error = IdentityRefused(
            "the account is not in the register",
            reason="not-registered",
            found=proof.workload,
            advice="Declare an identity of this name in a register document: somebody has to answer for it.",
        )
        await running.say(Refused(reason=error.reason, detail=error.message, proof=proof))
        raise error
    return Asking(subject=proof, holder=proof, registered=registered)


def _check_ends(one: issuing.Task) -> None:
    if one.backend.ends is Ending.EXPIRY:
        raise IntentRefused(
            "nothing ends these credentials but time",
            reason="cannot-be-ended",
            where=one.backend.name,
            expected="a backend whose credentials can be killed",
            advice="A sealed credential that leaked has to be ended at once.",
        )


async def _again(broker: Broker, wish: Wish, request: str) -> issuing.Task:
    """The request exactly as it was approved, decided afresh. The holders have to be those who were shown."""
    running = broker.running
    await broker.poll_approvals()
    kept = running.state.requests.get(request)
    if kept is None:
        raise NotFound("there is no such request that waits for approval", where=request[:64])
    body, state = kept.body, standing_at(kept, running.now()).state
    expires = body.proof.expires
    asking = await _asking(running, proof_of(running, wish.account, wish.holders, expires))
    try:
        if asking.subject != body.proof or body.intent.backend != wish.backend:
            raise IntentRefused("not what was approved", reason="another-request", where=request, expected="the same")
        if state is not RequestState.APPROVED:
            reason = "approval-pending" if state is RequestState.PENDING else f"request-{state}"
            raise IntentRefused("the request cannot be issued", reason=reason, where=request, found=state)
    except BrokerError as error:
        await issuing.refuse(running, asking, error)
        raise
    asked = body.decision.asked
    assert asked is not None
    grants = tally(kept.given, asked, body.digest, running.now()).granted
    one = issuing.task(running, asking, body.intent, action=ACTION)
    return msgspec.structs.replace(
        one,
        request=body.request,
        chain=kept.pending.chain or one.chain,
        digest=body.digest,
        approvers=tuple((each.approver, (kept.pending.group,)) for each in grants),
        approvals=grants,
    )


async def _seal(running: Running, wish: Wish, handed: Handed, intent: Intent) -> Prepared:
    """Say that it is prepared, put it under seal, and say who can open it."""
    parts = running.parts
    random: Random = parts.random
    made = Glass(
        step="prepared",
        glass=glass_id(running.now(), random),
        people=tuple(each.holder for each in wish.holders),
        reason=intent.reason or "",
        keys=handed.keys,
        not_after=str(text(handed.not_after)),
    )
    entry = await running.say(made, chain=handed.chain)
    draft = glass_file.Sealed(
        custody=glass_file.FORMAT,
        glass=made.glass,
        broker=parts.broker,
        prepared=entry.seq,
        chain=handed.chain,
        backend=intent.backend,
        type=handed.type,
        keys=handed.keys,
        not_after=made.not_after or "",
        holders=wish.holders,
        pairs=(),
        box="",
    )
    sealed = sealing.seal(draft, handed.secrets, handed.facts, random)
    more = {"by": wish.by, **({} if wish.replaces is None else {"replaces": wish.replaces})}
    fields = fields_of(sealed, wish.account, msgspec.json.encode(intent), **more)
    told = await running.say(Service(what=WHAT, version=parts.version, fields=fields))
    if told.seq != entry.seq + 1:
        raise StoreError("something else was said in between", where=f"{parts.broker}/{told.seq}")
    if wish.rotate_by is not None:
        due = str(text(min(handed.not_after, wish.rotate_by)))
        await running.say(Glass(step=ROTATE_BY, glass=made.glass, not_after=due), chain=handed.chain)
    card = Card(glass=made.glass, broker=parts.broker, prepared=entry.seq, chain=handed.chain)
    return Prepared(sealed=sealed, card=card, request=handed.request, receipt=handed.receipt)


async def _undo(running: Running, chain: str, by: str) -> None:
    """End what nobody will be able to open; where nothing can be sealed any more, all the same. The log has the rest.

    What goes wrong here is not told: the error that led here is, and the credential stays with the reaper.
    """
    with suppress(CustodyError):
        try:
            await ending.by_chain(running, chain, cause="break-glass", by=by, reason=NOT_SEALED)
        except EvidenceUnavailable:
            lease = await running.lease(chain)
            backend = running.backend(lease.backend)
            assert backend is not None
            await running.call(backend, backend.end, held_of(lease))


def _reserve(out: Path) -> None:
    """Make the file before anything is issued: where it cannot be written, nothing is."""
    os.close(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _write(out: Path, data: bytes) -> None:
    descriptor = os.open(out, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


async def end_left(running: Running, known: frozenset[str], by: str) -> int:
    """End what was issued for a glass that was never sealed, by a process that was stopped; gives how many."""
    prefix = f"break_glass:{running.parts.broker}:"
    left = [
        each.chain
        for each in running.state.leases.values()
        if each.workload.startswith(prefix) and each.standing is Standing.LIVE and each.chain not in known
    ]
    await ending.several(running, left, cause="break-glass", by=by, reason=NOT_SEALED)
    return len(left)
