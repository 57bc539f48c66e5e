"""Who asks: everything that has to be known of a caller before what they ask for is looked at."""

from __future__ import annotations

import re

import msgspec

from custody.broker.desk import Caller, Standing
from custody.broker.proof.prover import Presented
from custody.broker.register import Register
from custody.broker.running import Running
from custody.broker.state.fold import once_key
from custody.broker.tolling import Refusals
from custody.errors import IdentityRefused, NotFound
from custody.model.broker_terms import Actor, Proof, Registered
from custody.model.brokered import CHAIN, Refused

OWN = re.compile(f"jwt_jti:.*:({CHAIN})", re.ASCII)


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """A caller who is proved: for whom (``subject``), who holds the credential then, and as whom the register has them.

    ``holder`` is the actor who presented a token of their own, where there is one, else the subject. ``identities`` are
    the register's names of all who take part. ``parents`` are the chains of this broker whose tokens were presented,
    the holder's first.
    """

    subject: Proof
    holder: Proof
    registered: Registered
    actors: tuple[Actor, ...] = ()
    identities: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    origin: str | None = None
    once: str | None = None
    trace: str | None = None


async def prove(running: Running, caller: Caller, refusals: Refusals) -> Asking:
    """The caller, proved and found in the register. IdentityRefused; the refusal is sealed before it is raised.

    Of callers who prove no identity many alike refusals are counted (``tolling``) instead of sealed one by one.
    """
    running.check_serving()
    parts = running.parts
    try:
        subject = await parts.prove(caller.presented, running.now())
        actor = None if caller.actor is None else await parts.prove(caller.actor, running.now())
        actors = parts.actors_of(subject, actor)
    except IdentityRefused as error:
        await refusals.add(_refused(error, caller, None))
        raise
    holder = actors[0].proof if actors and actors[0].proof is not None else subject.proof
    try:
        registered = parts.register.find(holder)
        if registered is None:
            raise IdentityRefused(
                "the workload is not in the register",
                reason="not-registered",
                found=holder.workload[:200],
                advice="Declare it in a register document (custody register import), by this key or another name.",
            )
        parents = await _parents(running, holder, subject.proof, *(each.proof for each in actors if each.proof))
    except IdentityRefused as error:
        await running.say(_refused(error, caller, holder))
        raise
    return Asking(
        subject=subject.proof,
        holder=holder,
        registered=registered,
        actors=actors,
        identities=_identities(parts.register, registered, subject.proof, actors),
        parents=parents,
        origin=caller.origin,
        once=None if caller.idempotency is None else once_key(holder.workload, caller.idempotency),
        trace=caller.trace,
    )


def _identities(register: Register, holder: Registered, subject: Proof, actors: tuple[Actor, ...]) -> tuple[str, ...]:
    """Every identity of the register that takes part, the holder's first. People are in no register."""
    proofs = (subject, *(each.proof for each in actors if each.proof is not None))
    found = (register.find(each) for each in proofs)
    return tuple(dict.fromkeys((holder.identity, *(each.identity for each in found if each is not None))))


async def _parents(running: Running, *proofs: Proof) -> tuple[str, ...]:
    """The chains of this broker whose tokens were presented. IdentityRefused where the end of one was asked for."""
    chains: dict[str, None] = {}
    for proof in proofs:
        found = OWN.fullmatch(proof.credential or "") if proof.issuer == running.parts.issuer else None
        if found is None:
            continue
        try:
            lease = await running.lease(found[1])
        except NotFound:
            raise IdentityRefused("the token is of no chain of this broker", reason="unknown-chain") from None
        if lease.standing is not Standing.LIVE:
            raise IdentityRefused("the token was given back or revoked", reason="token-revoked", found=lease.standing)
        chains[lease.chain] = None
    return tuple(chains)


def _refused(error: IdentityRefused, caller: Caller, proof: Proof | None) -> Refused:
    return Refused(
        reason=error.reason,
        detail=error.message,
        digest=None if proof is not None else _digest(caller.presented),
        proof=proof,
        origin=caller.origin,
        trace=caller.trace,
    )


def _digest(presented: Presented) -> str:
    from hashlib import sha256

    return sha256(presented.token or b"".join(presented.certificate)).hexdigest()
