"""All provers together, and who acts for whom (RFC 8693): the way in for everything that is presented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Protocol, runtime_checkable

from custody.broker.proof.claims import MAX_ACTORS
from custody.broker.proof.compact import Compact
from custody.broker.proof.presenting import token_of
from custody.broker.proof.prover import Presented, Proved, Prover
from custody.broker.proof.refusals import refused
from custody.broker.proof.spiffe_x509 import SpiffeX509Prover
from custody.model.broker_terms import Actor, Proof


@runtime_checkable
class TokenProver(Protocol):
    """A prover of tokens that were taken apart already."""

    def accepts(self, token: Compact) -> bool:
        """Whether the token names the prover's issuer or trust domain. Unverified."""
        ...

    def addressed(self, token: Compact) -> bool:
        """Whether it is for the prover's audience. Unverified."""
        ...

    async def prove_token(self, token: Compact, presented: Presented, now: int) -> Proved:
        """See ``Prover.prove``."""
        ...


class Provers:
    """Picks the one prover for what is presented, by its unverified issuer; that one then verifies with its own trust.

    A token goes by its issuer first and by a SPIFFE subject second. Of two provers of one issuer (clusters may share
    one) that of the token's audience is picked.
    """

    def __init__(self, provers: Sequence[Prover]) -> None:
        self._tokens = tuple(each for each in provers if isinstance(each, TokenProver))
        self._others = tuple(each for each in provers if not isinstance(each, TokenProver))

    async def prove(self, presented: Presented, now: int) -> Proved:
        """The identity at ``now`` (µs). IdentityRefused with a word of ``refusals.REASONS``, and nothing else."""
        if presented.token:
            token = token_of(presented)
            return await self._picked(token).prove_token(token, presented, now)
        for prover in self._others:
            if prover.knows(presented):
                return await prover.prove(presented, now)
        raise refused("untrusted-issuer" if presented.certificate else "no-proof")

    async def authorities(self, now: int) -> tuple[bytes, ...]:
        """The CA certificates (DER) of all trust domains: what the TLS layer lets through, to be verified here."""
        found = [await each.authorities(now) for each in self._others if isinstance(each, SpiffeX509Prover)]
        return tuple(dict.fromkeys(chain.from_iterable(found)))

    def _picked(self, token: Compact) -> TokenProver:
        found = [prover for prover in self._tokens if prover.accepts(token)]
        if not found:
            raise refused("untrusted-issuer")
        return next((prover for prover in found if prover.addressed(token)), found[0])


def actors_of(subject: Proved, actor: Proved | None) -> tuple[Actor, ...]:
    """Who acts for the subject, the outermost first: the actor that proved itself, then what the subject's token says.

    Only the first one acts; the rest is history. The chain of a token is its issuer's word. IdentityRefused
    ``actor-not-allowed`` where the subject's token names others (``may_act``), ``actor-delegated`` for an actor whose
    own token has an act chain, ``act-malformed`` for a chain that is too long.
    """
    if actor is None:
        return subject.actors
    if actor.actors:
        raise refused("actor-delegated", expected="a token of the actor alone")
    if subject.may_act is not None and not _may(subject.proof, subject.may_act, actor.proof):
        raise refused("actor-not-allowed", where=subject.proof.issuer, expected="the actor that may_act names")
    if len(subject.actors) >= MAX_ACTORS:
        raise refused("act-malformed", expected=f"at most {MAX_ACTORS} actors")
    own = Actor(subject=actor.proof.subject, issuer=actor.proof.issuer, proof=actor.proof)
    return (own, *subject.actors)


def _may(subject: Proof, allowed: Mapping[str, str], actor: Proof) -> bool:
    """Whether the actor has every claim that ``may_act`` names. A subject without an issuer is of the token's own."""
    wanted = {"iss": subject.issuer, **allowed}
    has = {**actor.claims, "sub": actor.subject, "iss": actor.issuer}
    return all(has.get(name) == value for name, value in wanted.items())
