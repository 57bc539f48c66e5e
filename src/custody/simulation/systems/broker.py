"""A custody broker's log: its own lines (``custody.broker/1``), numbered from one, each with the digest of the last.

A line is written at its moment and not ahead of it, for its number and digest follow from those before it. What a
policy engine or a key would give is invented, as everything here; the lines have the form of real ones.
"""

import hashlib

import msgspec

from custody.model import brokered
from custody.model.broker_terms import (
    ApprovalRef,
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
from custody.model.brokered import Body, EndAsked, Issued, Request
from custody.model.events import Stage
from custody.simulation.chance import Chance
from custody.simulation.entry import BROKER, About, Entry
from custody.simulation.estate import Estate
from custody.simulation.systems.kubernetes import Pod, credential_key
from custody.simulation.times import SECOND, microseconds
from custody.simulation.world import CLUSTER

NAME = "blue"
AUDIENCE = "https://broker.example.org"
ISSUER = f"https://oidc.{CLUSTER}.example.org"
BACKEND = "items"
VERSION = "0.1.0"
LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32 in lower case, as in chain ids."""


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks the broker: what it proved, its id in the register, and the address that it calls from."""

    proof: Proof
    identity: str
    address: str


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for: ``ttl`` in seconds; ``renews`` is a chain."""

    scope: str = "read"
    purpose: str = "the books of the day"
    ttl: int = 900
    ticket: str | None = None
    renews: str | None = None
    reason: str | None = None


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """One request and what may come of it; ``decided`` is the number of the line that decided it, times are in µs."""

    client: Client
    wish: Wish
    request: str
    chain: str
    digest: str
    decided: int
    asked: int
    not_after: int
    approval: ApprovalRef | None = None

    @property
    def role(self) -> str:
        """The name of the role in the database."""
        return self.chain.replace("-", "_")

    @property
    def key(self) -> str:
        """The key of the role."""
        return f"db_role:postgresql:{self.role}"


def say(estate: Estate, time: int, body: Body, chain: str | None = None, *about: About, log: str = NAME) -> int:
    """Write a line down, at the moment that it is: never ahead of time; gives its number. ``log`` is the broker's id.

    A token that the line proves is used by that.
    """
    proof = body.proof if isinstance(body, Request | EndAsked) else None
    if proof is not None and proof.credential is not None:
        about = ((Stage.USE, proof.credential), *about)
    number, digest = estate.last.get(log, (0, brokered.NO_LINE))
    entry = brokered.Entry(
        custody=brokered.FORMAT,
        broker=log,
        seq=number + 1,
        prev=digest,
        at=microseconds(estate.clock(BROKER, time)),
        body=body,
        chain=chain,
    )
    line = brokered.line(entry)
    estate.last[log] = (entry.seq, brokered.digest_of(line))
    things = (("resource", "custody-broker"),) if isinstance(body, Request) else ()
    if isinstance(body, EndAsked) and chain is not None:
        things = (("resource", f"broker_chain:{log}:{chain}"),)
    estate.say(Entry(time=time, source=BROKER, line=line, about=about, touched=things))
    return entry.seq


def name(chance: Chance, prefix: str, time: int) -> str:
    """A prefix and a ULID: milliseconds and eighty bits, 26 letters."""
    number = time // 1000 << 80 | int.from_bytes(chance.bytes(10))
    return f"{prefix}-" + "".join(LETTERS[number >> place & 31] for place in range(125, -1, -5))


def of_pod(pod: Pod, token: str, expires: int) -> Client:
    """A pod with a token for the broker (credential id), which verified it; ``expires`` in µs."""
    proof = Proof(
        method="oidc",
        issuer=ISSUER,
        subject=f"system:serviceaccount:{pod.namespace}:{pod.account}",
        workload=pod.account_key,
        digest=sha256(token),
        key=sha256("key")[:43],
        trust=sha256("keys"),
        expires=microseconds(expires),
        granularity="pod",
        run=pod.key,
        credential=credential_key(token),
        claims={
            "jti": token.removeprefix("JTI="),
            "namespace": pod.namespace,
            "pod.name": pod.name,
            "pod.uid": pod.uid,
        },
    )
    return Client(proof=proof, identity=pod.account, address=pod.address)


def decision(wish: Wish, verdict: Verdict, *, asked: bool = False) -> Decision:
    """What the policies said. ``asked``: two eyes more are wanted, within four hours."""
    denied = verdict is Verdict.DENY
    policy = f"{BACKEND}/{wish.scope}"
    return Decision(
        verdict=verdict,
        engine="cedarpy 4.12.2",
        policy_set=sha256("policies"),
        schema=sha256("schema"),
        entities=sha256("entities"),
        request=sha256(f"{wish}"),
        policies=() if denied else (PolicyRef(policy, sha256(policy)),),
        why="no-permit-matched" if denied else "",
        max_ttl=None if denied else 1800,
        asked=Asked(count=1, group="release-managers", within=14_400) if asked else None,
        context={"action": "Renew" if wish.renews else "Issue", "backend_kind": "postgresql"},
    )


def request(lease: Lease, verdict: Verdict, *, asked: bool = False) -> Request:
    """The request as it is decided, with the plan where it is allowed."""
    wish, client = lease.wish, lease.client
    intent = Intent(
        backend=BACKEND,
        scope=(wish.scope,),
        purpose=wish.purpose,
        ticket=wish.ticket,
        ttl=wish.ttl,
        renews=wish.renews,
        reason=wish.reason,
    )
    plan = Plan(
        backend=BACKEND,
        kind="postgresql",
        ends=Ending.KILLED_WITH_SESSIONS,
        name=lease.role,
        ttl=wish.ttl,
        not_after=microseconds(lease.not_after),
        scope=(wish.scope,),
        key=lease.key,
        subject=lease.key,
    )
    return Request(
        request=lease.request,
        digest=lease.digest,
        proof=client.proof,
        intent=intent,
        decision=decision(wish, verdict, asked=asked),
        registered=Registered(identity=client.identity, document="identities/2026-02", owner="team:ledger"),
        approvals=() if lease.approval is None else (lease.approval,),
        plan=plan if verdict is Verdict.ALLOW else None,
        origin=client.address,
    )


def issued(lease: Lease, *, until: int | None = None) -> Issued:
    """The outcome: a role that was made. ``until`` (µs) is its expiry where that is not what was planned."""
    wish, client = lease.wish, lease.client
    policy = f"{BACKEND}/{wish.scope}"
    return Issued(
        request=lease.request,
        decided=lease.decided,
        backend=BACKEND,
        type="custody:postgresql",
        ends=Ending.KILLED_WITH_SESSIONS,
        keys=(lease.key,),
        not_after=microseconds(until or lease.not_after),
        requester=client.proof.workload,
        workload=client.proof.workload,
        identity=client.identity,
        subject=lease.key,
        granularity=client.proof.granularity,
        run=client.proof.run,
        parent=client.proof.credential,
        scope=(wish.scope,),
        policies=(PolicyRef(policy, sha256(policy)),),
        policy_set=sha256("policies"),
        approval=None if lease.approval is None else f"approval:{NAME}:{lease.request}",
        renews=wish.renews,
        reason=wish.reason,
        server={"made_at": microseconds(lease.asked + 13_000), "version": "17.4"},
    )


def new(chance: Chance, client: Client, wish: Wish, time: int) -> Lease:
    """A request that nothing is written of yet."""
    return Lease(
        client=client,
        wish=wish,
        request=name(chance, "rq", time),
        chain=name(chance, "cc", time),
        digest="",
        decided=0,
        asked=time,
        not_after=time + wish.ttl * SECOND,
    )


def sha256(text: str) -> str:
    """The digest of a text (hex)."""
    return hashlib.sha256(text.encode()).hexdigest()
