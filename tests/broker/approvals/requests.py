"""Requests of an invented broker, as it writes them, and a store in which they are sealed."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from custody.broker.approvals.decision import Decision
from custody.broker.approvals.people import ssh_key
from custody.broker.approvals.weighing import Held
from custody.broker.clock import request_id
from custody.broker.shown import digest_of, shown_of
from custody.ledger.entry import record_entry
from custody.ledger.merkle import leaf_hash
from custody.model.broker_terms import (
    Actor,
    Asked,
    Ending,
    Intent,
    PolicyRef,
    Proof,
    Registered,
    Verdict,
)
from custody.model.broker_terms import (
    Decision as Decided,
)
from custody.model.brokered import FORMAT, NO_LINE, SOURCE, Body, Entry, Issued, Request, line
from custody.model.records import PARTS_COLUMNS, Acquisition, Batch
from custody.model.times import text
from custody.store.index import identity_hash
from custody.store.parts import parts_schema
from custody.store.writer import Writer

NOW = 1_795_341_600_000_000
"""2026-11-22T10:00:00Z."""
SECOND = 1_000_000
BROKER, CHAIN = "tunnel", "cc-0000000000000000000000chan"
WITHIN = 900
GITHUB = "https://token.actions.githubusercontent.com"
ANN, BOB, EVE = (ssh_key(f"{name}@example.com") for name in ("ann", "bob", "eve"))
GROUPS: dict[str, tuple[str, ...]] = {"releasers": (ANN, BOB, EVE)}


def identifier(number: int, at: int = NOW) -> str:
    return request_id(at, number.to_bytes)


RQ = identifier(1)


def proof(**changed: object) -> Proof:
    whole = Proof(
        method="oidc",
        issuer=GITHUB,
        subject="repo:acme/pay:ref:refs/heads/main",
        workload="oidc_subject:token.actions.githubusercontent.com:repo:acme/pay:ref:refs/heads/main",
        digest="1" * 64,
        key="thumb",
        trust="2" * 64,
        expires="2026-11-22T10:10:00Z",
        run="github_run:github:77/1",
        claims={"actor": "dora", "actor_id": "4711", "repository": "acme/pay"},
    )
    return msgspec.structs.replace(whole, **changed)


def request(number: int = 1, /, **changed: object) -> Request:
    decision = Decided(
        verdict=Verdict.APPROVAL,
        engine="cedar",
        policy_set="3" * 64,
        schema="4" * 64,
        entities="5" * 64,
        request="6" * 64,
        policies=(PolicyRef("release", "7" * 64),),
        asked=Asked(count=1, group="releasers", within=WITHIN),
    )
    whole = Request(
        request=identifier(number),
        digest="",
        proof=proof(),
        intent=Intent(backend="orders", scope=("read",), purpose="a release", ticket="OPS-1", ttl=600),
        decision=decision,
        registered=Registered(identity="pay-deploy", document="8" * 64, owner="team:pay"),
    )
    told = {name: value for name, value in changed.items() if name != "count"}
    if "count" in changed:
        asked = Asked(count=int(str(changed["count"])), group="releasers", within=WITHIN)
        told["decision"] = msgspec.structs.replace(decision, asked=asked)
    whole = msgspec.structs.replace(whole, **told)
    return whole if whole.digest else msgspec.structs.replace(whole, digest=digest_of(shown_of(whole, BROKER, CHAIN)))


def acting(subject: str, issuer: str | None = "https://login.example.com") -> tuple[Actor, ...]:
    return (Actor(subject=subject, issuer=issuer),)


def held(body: Request | None = None) -> Held:
    return Held(BROKER, CHAIN, body or request())


def decision(body: Request | None = None, /, **changed: object) -> Decision:
    about = body or request()
    whole = Decision(
        request=about.request,
        broker=BROKER,
        chain=CHAIN,
        digest=about.digest,
        verdict="grant",
        approver=ANN,
        method="ssh",
        reason="the release is planned",
        at=str(text(NOW + 60 * SECOND)),
        until=str(text(NOW + WITHIN * SECOND)),
    )
    return msgspec.structs.replace(whole, **changed)


def issued(body: Request) -> Issued:
    return Issued(
        request=body.request,
        decided=1,
        backend="orders",
        type="postgresql",
        ends=Ending.KILLED,
        keys=("db_role:postgresql:cc_x",),
        not_after=str(text(NOW + 600 * SECOND)),
        requester=body.proof.workload,
        workload=body.proof.workload,
        identity="pay-deploy",
    )


def entries(bodies: Sequence[Body], first: int = 1, broker: str = BROKER) -> list[Entry]:
    return [
        Entry(custody=FORMAT, broker=broker, seq=seq, prev=NO_LINE, at=str(text(NOW)), body=body, chain=CHAIN)
        for seq, body in enumerate(bodies, first)
    ]


class Estate:
    """A store, the two folders of keys, and records of a broker's log sealed in it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.keys, self.approver = folder / "store", folder / "keys", folder / "approver"
        with self._writer():
            pass

    def seal(self, bodies: Sequence[Body], first: int = 1, broker: str = BROKER) -> None:
        """Seal entries as one file of the broker's log."""
        rows = [(each.id, line(each)) for each in entries(bodies, first, broker)]
        name = f"{broker}-{first}-{sha256(repr(rows).encode()).hexdigest()[:8]}"
        digest = sha256(name.encode()).hexdigest()
        found = Acquisition(path=name, member=None, received=digest, received_size=10, content=digest, content_size=10)
        with self._writer() as writer:
            (leaf,) = writer.acquire([found], by="test", at="2026-11-22T10:00:00Z")
            writer.commit([_batch(leaf, rows)])

    def _writer(self) -> Writer:
        return Writer.open(self.root, self.keys, now="2026-11-22T10:00:00Z", version="1")


def _batch(acquisition: int, rows: Sequence[tuple[str, bytes]]) -> Batch:
    import pyarrow as pa

    sealed: list[bytes] = []
    salts: list[bytes | None] = []
    for at, (identity, kept) in enumerate(rows):
        salt = sha256(f"{identity}/{acquisition}/{at}".encode()).digest()[:16]
        digest = sha256(salt + kept).hexdigest()
        sealed.append(record_entry(SOURCE, "custody-broker/1", identity, digest, acquisition, at, len(kept)))
        salts.append(salt)
    columns: dict[str, list[object]] = {name: [None] * len(rows) for name in PARTS_COLUMNS}
    columns |= {"row": list(range(len(rows))), "event": [each for each, _ in rows], "stage": ["use"] * len(rows)}
    return Batch(
        acquisition=acquisition,
        ordinal=0,
        last=True,
        entries=sealed,
        leaves=b"".join(map(leaf_hash, sealed)),
        identity_hashes=[identity_hash(SOURCE, identity) for identity, _ in rows],
        sources=[SOURCE] * len(rows),
        ids=[identity for identity, _ in rows],
        forms=["delivered"] * len(rows),
        kept=[kept for _, kept in rows],
        salts=salts,
        skips=[None] * len(rows),
        parts=pa.record_batch(columns, schema=parts_schema()),
    )
