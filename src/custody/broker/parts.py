"""What a broker is put together from: the rooms beside it and what the edge hands in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from custody.broker.backends.backend import Backend
from custody.broker.clock import Clock, Random
from custody.broker.evidence.evidence import Evidence
from custody.broker.policy.engine import PolicyEngine
from custody.broker.proof.prover import Presented, Proved
from custody.broker.register import Register
from custody.broker.state.tables import Tables
from custody.model.broker_terms import Actor
from custody.model.brokered import Approved

Prove = Callable[[Presented, int], Awaitable[Proved]]
"""Proves what was presented, at a time (µs). IdentityRefused."""
ActorsOf = Callable[[Proved, Proved | None], tuple[Actor, ...]]
"""The act chain of a subject and the actor that was presented for it, the outermost first. IdentityRefused."""
Approvals = Callable[[int], tuple[Approved, ...]]
"""The decisions of people that stand in the log of approvals from a leaf on, weighed. May block."""


def no_approvals(_: int) -> tuple[Approved, ...]:
    """No log of approvals is watched."""
    return ()


def never(_: str) -> bool:
    """No text is searched for secrets."""
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """Everything that a broker needs. ``ttls`` is the longest life of each backend's credentials in seconds.

    ``secretive`` says whether a text that a caller wrote holds what looks like a secret.
    """

    broker: str
    issuer: str
    environment: str
    version: str
    prove: Prove
    actors_of: ActorsOf
    register: Register
    policies: PolicyEngine
    backends: Mapping[str, Backend]
    ttls: Mapping[str, int]
    evidence: Evidence
    tables: Tables
    clock: Clock
    random: Random
    approvals: Approvals = field(default=no_approvals)
    secretive: Callable[[str], bool] = field(default=never)
