"""What may be asked of the broker, and what it answers: the door between the service and the broker's own rooms."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import msgspec

from custody.broker.backends.backend import Secret
from custody.broker.proof.prover import Presented
from custody.model.broker_terms import Decision, Ending, Intent
from custody.model.brokered import Effect


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, as they came in: what they present for themselves, and for the actor where another one acts.

    ``idempotency`` is the caller's key for this request (RFC-to-be of HTTPAPI: ``Idempotency-Key``), ``trace`` the W3C
    trace id (32 hex digits), ``origin`` the address of the connection.
    """

    presented: Presented
    actor: Presented | None = None
    origin: str | None = None
    idempotency: str | None = None
    trace: str | None = None


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who signed in: the key (``person:ISSUER:SUBJECT``), and the roles that they have."""

    key: str
    roles: frozenset[str]
    name: str = ""


class Standing(StrEnum):
    """How a lease stands."""

    PLANNED = "planned"
    """The intent is sealed; whether a credential is there is not known yet."""
    LIVE = "live"
    ENDING = "ending"
    """Its end was asked for; what became of it is not known yet."""
    SURVIVING = "surviving"
    """Its end was asked for, and the credential or a session of it lives: the reaper tries again."""
    WAITING = "waiting"
    """Its end was asked for, and nothing can end it before its expiry."""
    ENDED = "ended"
    """Seen to be gone, or past its expiry where the backend lets nothing outlive it."""
    FAILED = "failed"
    """Nothing was made."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A brokered credential, without its secret. Times are in µs; ``seq`` is of the entry that changed it last.

    ``workload``, ``run`` and ``identity`` are of who holds it, ``identities`` of all who take part.
    ``once`` is what was kept of the caller's idempotency key. ``parents`` are the chains besides ``parent`` that it
    descends from, as their tokens were presented too: the end of any of them ends it.
    """

    chain: str
    request: str
    backend: str
    kind: str
    ends: Ending
    standing: Standing
    identity: str
    workload: str
    name: str
    keys: tuple[str, ...]
    asked: int
    not_after: int
    seq: int
    decided: int
    intent: Intent
    run: str | None = None
    identities: tuple[str, ...] = ()
    issued: int | None = None
    ended: int | None = None
    effect: Effect | None = None
    cause: str = ""
    scope: tuple[str, ...] = ()
    parent: str | None = None
    renews: str | None = None
    renewals: int = 0
    server: dict[str, str] = {}
    tries: int = 0
    once: str | None = None
    parents: tuple[str, ...] = ()


class RequestState(StrEnum):
    """How a request stands."""

    DENIED = "denied"
    PENDING = "pending"
    """People have to approve."""
    APPROVED = "approved"
    """Enough people did; the workload may fetch its credential."""
    REJECTED = "rejected"
    """A person denied it."""
    LAPSED = "lapsed"
    ISSUED = "issued"
    FAILED = "failed"


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it stands: ``shown`` is the exact text (JSON) that approvers see, ``digest`` its SHA-256 (hex)."""

    request: str
    digest: str
    shown: str
    state: RequestState
    identity: str
    backend: str
    asked: int
    until: int
    needed: int
    group: str
    granted: tuple[str, ...] = ()
    chain: str | None = None


class Handed(msgspec.Struct, frozen=True, kw_only=True):
    """A credential as it is handed over, once. ``receipt`` is ``CHAIN@SEQ``; ``expires_in`` is in seconds.

    Under break-glass ``review`` is the request that somebody else has to approve, and ``review_by`` by when (RFC 3339).
    """

    chain: str
    request: str
    receipt: str
    type: str
    secrets: dict[str, Secret]
    facts: dict[str, str]
    keys: tuple[str, ...]
    not_after: int
    expires_in: int
    scope: tuple[str, ...]
    decision: Decision
    identity: str = ""
    ends: Ending | None = None
    review: str | None = None
    review_by: str | None = None


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What ending a credential came to: of the lease and of every lease below it."""

    lease: Lease
    below: tuple[Lease, ...] = ()


class Containment(msgspec.Struct, frozen=True, kw_only=True):
    """An open containment: nothing is issued to ``identity`` since ``since`` (µs)."""

    identity: str
    by: str
    reason: str
    since: int
    seq: int
    incident: str | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An item of the checklist of re-enablement: its grade (``proved``, ``claimed`` or ``open``), and what shows it."""

    item: str
    grade: str
    shown_by: str


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list: up to ``limit`` entries after the one named ``after``."""

    after: str | None = None
    limit: int = 50


class Desk(Protocol):
    """The broker. Every method that changes something seals it first; all raise the BrokerError branch of the tree."""

    async def exchange(self, caller: Caller, intent: Intent) -> Handed:
        """Prove, decide, issue and hand over. ApprovalNeeded where people have to approve (``found``: request id)."""
        ...

    async def fetch(self, caller: Caller, request: str) -> Handed:
        """Issue what was approved: the same workload, the request exactly as it was shown, decided afresh."""
        ...

    async def renew(self, caller: Caller, chain: str, *, reason: str, ttl: int | None = None) -> Handed:
        """A successor for a live credential of the same workload; the old one is ended when the new one is sealed."""
        ...

    async def complete(self, caller: Caller, chain: str) -> Ended:
        """The workload gives its credential back: it and what descends from it are ended now."""
        ...

    async def revoke(self, person: Person, chain: str, *, reason: str) -> Ended:
        """An operator ends a credential and what descends from it."""
        ...

    async def contain(self, person: Person, identity: str, *, reason: str, incident: str | None = None) -> list[Lease]:
        """Stop issuing to an identity and end what lives; gives the leases as they then stand."""
        ...

    async def checklist(self, identity: str) -> list[Item]:
        """What re-enablement needs, and what of it is shown."""
        ...

    async def enable(self, person: Person, identity: str, *, reason: str) -> list[Item]:
        """End a containment. PolicyDenied, with the items that are open, where the checklist is not shown."""
        ...

    async def lease(self, chain: str) -> Lease:
        """One lease. NotFound where there is none."""
        ...

    async def leases(self, page: Page, *, identity: str | None = None, standing: str | None = None) -> list[Lease]:
        """Leases by chain id, which is by age."""
        ...

    async def request(self, request: str) -> Pending:
        """One request that needed approval. NotFound where there is none."""
        ...

    async def requests(self, page: Page, *, state: str | None = None) -> list[Pending]:
        """Requests that needed approval, by id."""
        ...

    async def containments(self) -> list[Containment]:
        """The open containments."""
        ...
