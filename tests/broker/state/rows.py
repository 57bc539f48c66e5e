"""Invented leases and requests to keep."""

from itertools import product

import msgspec

from custody.broker.desk import Containment, Lease, Pending, RequestState, Standing
from custody.broker.state.tables import Kept, Once
from custody.model.broker_terms import Ending, Intent
from custody.model.brokered import Approved, Effect
from tests.broker.state.life import DIGEST, NOON, SECOND, Life

ODD = 'a "quoted" ‰ name; \0 -- \u2028\n'


def lease(number: int, **other: object) -> Lease:
    made = Lease(
        chain=f"cc-{number:026d}",
        request=f"rq-{number:026d}",
        backend="vault",
        kind="memory",
        ends=Ending.KILLED,
        standing=Standing.LIVE,
        identity="payments",
        workload="oidc_subject:idp.example:payments",
        name=f"cc_{number:026d}",
        keys=(f"db_role:postgresql:cc_{number:026d}",),
        asked=NOON,
        not_after=NOON + 900 * SECOND,
        seq=number + 1,
        decided=number,
        intent=Intent(backend="vault", scope=("read",), details=('{"type": "x"}',), purpose=ODD),
    )
    return msgspec.structs.replace(made, **other)


def full(number: int) -> Lease:
    """One with something in every field."""
    return lease(
        number,
        run="ci_run:idp.example:7",
        issued=NOON,
        ended=NOON + 1,
        effect=Effect.SESSIONS,
        cause="operator",
        scope=("read", "write"),
        parent=f"cc-{number + 1:026d}",
        renews=f"cc-{number + 2:026d}",
        renewals=1,
        server={"pid": ODD},
        tries=3,
        identity=ODD,
    )


def every_standing() -> list[Lease]:
    """One of each standing, way to end and side of noon, of two identities."""
    ways = product(Standing, Ending, (NOON - SECOND, NOON, NOON + SECOND))
    return [
        lease(number, standing=standing, ends=ends, not_after=until, identity=("orders", "payments")[number % 2])
        for number, (standing, ends, until) in enumerate(ways)
    ]


def kept(number: int, state: RequestState = RequestState.PENDING) -> Kept:
    life = Life()
    life.ask(27)
    (pending,) = life.asked.values()
    request = f"rq-{number:026d}"
    return Kept(
        pending=Pending(
            request=request, digest=DIGEST, shown="", state=state, identity="orders", backend="vault", asked=NOON,
            until=NOON + SECOND, needed=2, group="leads", granted=("person:idp.example:1",), chain=pending.chain,
        ),
        body=pending.body,
        given=(
            Approved(
                request=request, digest=DIGEST, verdict="grant", approver="person:idp.example:1", leaf=number,
                given="2026-11-22T12:00:00Z", reason=ODD,
            ),
        ),
    )  # fmt: skip


def containment(identity: str, seq: int = 1) -> Containment:
    return Containment(identity=identity, by="person:idp.example:anna", reason=ODD, since=NOON, seq=seq, incident="i-7")


def once(number: int, until: int) -> Once:
    return Once(key=f"{number:064x}", request=f"rq-{number:026d}", chain=None, digest=DIGEST, until=until)
