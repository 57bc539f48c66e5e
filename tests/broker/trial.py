"""A broker of fakes alone: everything at its seams that the package ships, and callers that are what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

import msgspec

from custody.broker.backends.backend import Door, Made, Order, Secret
from custody.broker.backends.memory import MemoryBackend, Options
from custody.broker.broker import Broker
from custody.broker.desk import Caller, Person
from custody.broker.evidence.memory import MemoryEvidence
from custody.broker.parts import Parts
from custody.broker.policy.engine import Situation
from custody.broker.proof.prover import Presented, Proved
from custody.broker.state.tables import MemoryTables, Tables
from custody.errors import IdentityRefused
from custody.model.broker_terms import (
    Actor,
    Asked,
    Decision,
    Ending,
    Intent,
    Plan,
    PolicyRef,
    Proof,
    Registered,
    Verdict,
)
from custody.model.brokered import Approved, Body, Entry

NOON = 1_795_348_800_000_000
SECOND = 1_000_000
T = TypeVar("T")

ANNA = Person(key="person:idp.example:anna", roles=frozenset({"operator"}))
BERT = Person(key="person:idp.example:bert", roles=frozenset({"admin"}))


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> int:
        return self.time


class Dice:
    """Random bytes that count up."""

    def __init__(self) -> None:
        self.drawn = 0

    def __call__(self, number: int) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(number)


class Book:
    """A register of a few names."""

    def __init__(self) -> None:
        self.signed: dict[str, int] = {}

    def find(self, proof: Proof) -> Registered | None:
        name = proof.workload.rpartition(":")[2]
        if name == "stranger":
            return None
        return Registered(identity=name, document="identities", leaf=7, owner="team:payments")

    def knows(self, identity: str) -> bool:
        return identity != "nobody"

    def signed_since(self, identity: str, since: int) -> int | None:
        return self.signed.get(identity)


class Says:
    """Policies that say what they are told, and remember what they were asked."""

    engine = "trial 1"

    def __init__(self) -> None:
        self.verdict = Verdict.ALLOW
        self.asked: Asked | None = None
        self.max_ttl: int | None = None
        self.situations: list[Situation] = []

    def decide(self, situation: Situation) -> Decision:
        self.situations.append(situation)
        verdict, asked = self.verdict, self.asked
        if verdict is Verdict.APPROVAL and asked is not None and len(situation.approvers) >= asked.count:
            verdict, asked = Verdict.ALLOW, None
        return Decision(
            verdict=verdict,
            engine="trial 1",
            policy_set="11" * 32,
            schema="22" * 32,
            entities="33" * 32,
            request="44" * 32,
            policies=(PolicyRef("trial", "55" * 32),) if verdict is Verdict.ALLOW else (),
            why="" if verdict is Verdict.ALLOW else "no-permit-matched",
            max_ttl=self.max_ttl,
            asked=asked,
        )


class Trial:
    """One broker and its fakes. ``again`` starts another one on what the first one left."""

    def __init__(self, tables: Tables | None = None, *, ends: Ending = Ending.KILLED_WITH_SESSIONS) -> None:
        self.clock, self.dice, self.book, self.says = Hands(), Dice(), Book(), Says()
        self.evidence = MemoryEvidence("trial", self.clock)
        self.tables = tables or MemoryTables()
        self.given: list[Approved] = []
        door = Door(
            clock=self.clock,
            random=self.dice,
            broker="trial",
            issuer="https://broker.example",
            secret=Secret,
            keys="",
        )
        self.memory = MemoryBackend("vault", Options(scopes=("read", "write"), ends=ends, quick=False), door)
        self.quick = MemoryBackend("quick", Options(scopes=("read",), ends=Ending.EXPIRY, quick=True), door)
        self.broker = self._made()

    def _made(self) -> Broker:
        parts = Parts(
            broker="trial",
            issuer="https://broker.example",
            environment="test",
            version="1",
            prove=self._prove,
            actors_of=_actors,
            register=self.book,
            policies=self.says,
            backends={"vault": self.memory, "quick": self.quick},
            ttls={"vault": 3600, "quick": 900},
            evidence=self.evidence,
            tables=self.tables,
            clock=self.clock,
            random=self.dice,
            approvals=lambda through: tuple(each for each in self.given if each.leaf >= through),
        )
        return Broker(parts)

    def again(self) -> Broker:
        """A broker that starts on the evidence and tables of the one before."""
        self.evidence._observers.clear()
        self.broker = self._made()
        return self.broker

    def bodies(self, kind: type[T]) -> list[T]:
        """What was said of a kind."""
        return [each.body for each in self.evidence.said if isinstance(each.body, kind)]

    def after(self, seq: int) -> list[Entry]:
        """What was said since."""
        return self.evidence.said[seq:]

    def approve(self, request: str, by: Person, verdict: str = "grant") -> None:
        """A decision in the log of approvals."""
        body = msgspec.convert(
            {
                "kind": "approved",
                "request": request,
                "digest": self.broker.running.state.requests[request].pending.digest,
                "verdict": verdict,
                "approver": by.key,
                "leaf": len(self.given),
                "given": "2026-11-22T12:00:00Z",
                "reason": "looked at it",
            },
            Approved,
        )
        self.given.append(body)

    async def _prove(self, presented: Presented, now: int) -> Proved:
        name = presented.token.decode()
        if name.startswith("bad"):
            raise IdentityRefused("the signature does not hold", reason="bad-signature")
        workload, _, run = name.partition("/")
        own = workload.startswith("cc-")
        proof = Proof(
            method="oidc",
            issuer="https://broker.example" if own else "https://idp.example",
            subject=workload,
            workload=f"oidc_subject:idp.example:{'agent' if own else workload}",
            digest="66" * 32,
            key="key",
            trust="77" * 32,
            expires="2026-11-22T13:00:00Z",
            run=f"ci_run:idp.example:{run}" if run else None,
            credential=f"jwt_jti:{'broker.example' if own else 'idp.example'}:{workload}",
        )
        return Proved(proof=proof)


def swap(backend: MemoryBackend, issue: Callable[[Order, Plan], Made]) -> None:
    """Let a backend issue in another way."""
    setattr(backend, "issue", issue)  # noqa: B010  # mypy forbids to assign a method


def then(first: Callable[[Order, Plan], Made], after: Callable[[], object]) -> Callable[[Order, Plan], Made]:
    """A backend's ``issue`` with something that happens right after it."""

    def both(order: Order, plan: Plan) -> Made:
        made = first(order, plan)
        after()
        return made

    return both


def before(first: Callable[[Order, Plan], Made], tell: Callable[[Order], object]) -> Callable[[Order, Plan], Made]:
    """A backend's ``issue`` with something that happens right before it."""

    def both(order: Order, plan: Plan) -> Made:
        tell(order)
        return first(order, plan)

    return both


def _actors(subject: Proved, actor: Proved | None) -> tuple[Actor, ...]:
    return () if actor is None else (Actor(subject=actor.proof.subject, proof=actor.proof),)


def caller(name: str, *, actor: str | None = None, once: str | None = None) -> Caller:
    """A workload by name (``deploy/7``: its run)."""
    other = None if actor is None else Presented(token=actor.encode())
    return Caller(presented=Presented(token=name.encode()), actor=other, idempotency=once, origin="192.0.2.7")


def wants(backend: str = "vault", **more: object) -> Intent:
    """An intent."""
    return msgspec.convert({"backend": backend, "scope": ["read"], "purpose": "nightly report", **more}, Intent)


def played(trial: Trial, play: Callable[[Broker], Awaitable[T]]) -> T:
    """Start the trial's broker and play something with it."""

    async def whole() -> T:
        await trial.broker.start()
        return await play(trial.broker)

    return asyncio.run(whole())


def run(work: Coroutine[object, object, T]) -> T:
    """Run it."""
    return asyncio.run(work)


__all__ = [
    "ANNA",
    "BERT",
    "NOON",
    "SECOND",
    "Body",
    "Trial",
    "before",
    "caller",
    "played",
    "run",
    "swap",
    "then",
    "wants",
]
