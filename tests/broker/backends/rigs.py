"""One rig a backend: the backend beside a real server of its kind, and how to try what it made."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from custody.broker.backends.backend import Backend, Door, Held, Made, Order, Secret
from custody.broker.backends.registry import build
from custody.broker.clock import chain_id
from custody.errors import UsageError
from custody.model.broker_terms import Intent, Plan
from custody.settings.broker_file import BackendTable

BROKER = "prod-eu"
ISSUER = "https://broker.example"
START = 1_795_000_000_123_456
SUBJECT = "spiffe:example.org:/ns/app/sa/runner"


class HandClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: int = START) -> None:
        self.at = now

    def now(self) -> int:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += int(seconds * 1_000_000)


_ASKED = frozenset(Intent.__struct_fields__) - frozenset(Order.__struct_fields__)
_numbers = itertools.count(1)


def new_chain(now: int = START) -> str:
    """A chain id of its own."""
    return chain_id(now, lambda count: next(_numbers).to_bytes(count))


@dataclass
class Rig:
    """A backend and what a test has to know of its kind."""

    kind: str
    table: BackendTable
    door: Door
    clock: HandClock
    intent: Intent
    ttl: int
    backend: Backend
    away: dict[str, object] = field(default_factory=dict)
    """Options that lead nowhere; empty where there is no server to be out of reach."""
    carries: Callable[[Made, Order], str] = lambda _made, _order: ""
    """The text on the credential itself in which the receipt must stand."""
    shows: Callable[[], str] = str
    """All that the target wrote or holds where anybody but the holder can look."""

    def order(self, **changes: Any) -> Order:
        """A good order for a new chain, with some fields of it or of its intent changed."""
        about = {key: changes.pop(key) for key in tuple(changes) if key in _ASKED}
        intent = msgspec.structs.replace(self.intent, **about)
        given: dict[str, Any] = {
            "chain": new_chain(self.clock.now()),
            "broker": BROKER,
            "intent": intent,
            "subject": SUBJECT,
            "identity": "payments-runner",
            "ttl": self.ttl,
            "now": self.clock.now(),
            "decided": 41,
        }
        return Order(**{**given, **changes})

    def issued(self, order: Order | None = None) -> tuple[Order, Plan, Made]:
        """A credential."""
        order = order or self.order()
        plan = self.backend.plan(order)
        return order, plan, self.backend.issue(order, plan)

    def other(self, **options: object) -> Backend:
        """The same kind with some options changed."""
        table = msgspec.structs.replace(self.table, options={**self.table.options, **options})
        return build(table, self.door)


def held(order: Order, plan: Plan, made: Made | None = None) -> Held:
    """What the broker keeps of it; without ``made`` it stopped before it learned."""
    if made is None:
        return Held(chain=order.chain, plan=plan)
    return Held(chain=order.chain, plan=plan, keys=made.keys, issued=order.now, server=made.server)


SECRETS = {"env:DB": "own-must-not-stay", "env:AK": "AKIAMUSTNOTSTAY00000", "env:SK": "sk/must-not-stay"}


def secret(reference: str) -> Secret:
    """The secrets of the tests' broker files."""
    if reference not in SECRETS:
        raise UsageError("no such secret", found=reference)
    return Secret(SECRETS[reference])


def door(folder: Path, clock: HandClock) -> Door:
    """A door of the tests."""
    return Door(clock=clock, random=os.urandom, broker=BROKER, issuer=ISSUER, secret=secret, keys=str(folder))


@contextmanager
def memory(folder: Path) -> Iterator[Rig]:
    """The fake."""
    options: dict[str, object] = {"scopes": ["read"], "audiences": ["api"], "details": ["query"]}
    yield _rig("memory", options, folder, Intent(backend="x", scope=("read",)), carries=_handed)


@contextmanager
def jwt(folder: Path) -> Iterator[Rig]:
    """The signer."""
    options: dict[str, object] = {"audiences": ["https://api.example"], "scopes": ["read"], "details": ["query"]}
    intent = Intent(backend="x", scope=("read",), audience=("https://api.example",))
    yield _rig("jwt", options, folder, intent, carries=_claims)


@contextmanager
def postgresql(folder: Path, server: Any) -> Iterator[Rig]:
    """Roles of a real server."""
    from tests.broker import postgres

    options: dict[str, object] = {
        "host": "127.0.0.1",
        "port": server.port,
        "user": postgres.BROKER,
        "password": "env:DB",
        "sslmode": "disable",
        "scopes": {"read": [postgres.GROUP], "odd": [postgres.ODD]},
    }

    def comment(made: Made, _: Order) -> str:
        with postgres.admin(server) as connection:
            query = "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = %s"
            row = connection.execute(query, (made.secrets["username"].reveal(),)).fetchone()
        assert row is not None
        return str(row[0])

    def shows() -> str:
        return bytes(server.log("json") + server.log("csv")).decode()

    intent = Intent(backend="x", scope=("read",))
    rig = _rig("postgresql", options, folder, intent, carries=comment, away={"port": 1}, shows=shows)
    yield rig


@contextmanager
def aws_sts(folder: Path, endpoint: str) -> Iterator[Rig]:
    """Sessions of moto's STS."""
    role = {"arn": "arn:aws:iam::123456789012:role/team/deploy", "resources": ["arn:aws:s3:::bucket"]}
    options: dict[str, object] = {
        "region": "eu-west-1",
        "roles": {"deploy": role},
        "access_key": "env:AK",
        "secret_key": "env:SK",
        "endpoint_url": endpoint,
        "read_timeout": 5,
    }
    intent = Intent(backend="x", scope=("deploy",))
    away: dict[str, object] = {"endpoint_url": "http://127.0.0.1:1"}
    rig = _rig("aws_sts", options, folder, intent, ttl=900, carries=_session, away=away, now=True)
    yield rig


def _rig(
    kind: str,
    options: dict[str, object],
    folder: Path,
    intent: Intent,
    *,
    carries: Callable[[Made, Order], str],
    ttl: int = 300,
    away: dict[str, object] | None = None,
    shows: Callable[[], str] = str,
    now: bool = False,
) -> Rig:
    import time

    clock = HandClock(int(time.time()) * 1_000_000 if now or kind == "postgresql" else START)
    table = BackendTable(name=f"my-{kind}".replace("_", "-"), kind=kind, options=options)
    intent = msgspec.structs.replace(intent, backend=table.name)
    entry = door(folder, clock)
    return Rig(
        kind=kind,
        table=table,
        door=entry,
        clock=clock,
        intent=intent,
        ttl=ttl,
        backend=build(table, entry),
        away=away or {},
        carries=carries,
        shows=shows,
    )


def _handed(made: Made, _: Order) -> str:
    chain, seq = made.facts["receipt"].split("@")
    return f'"chain":"{chain}" "seq":{seq}'


def _claims(made: Made, _: Order) -> str:
    from custody.broker.keys.signer import decoded

    return decoded(made.secrets["access_token"].reveal().split(".")[1]).decode()


def _session(made: Made, order: Order) -> str:
    """Moto keeps no tags: what was sent is looked at in ``test_aws_sts``."""
    assert made.facts["arn"].endswith(f"/{order.chain}")
    return f'"chain":"{order.chain}" "seq":{order.decided}'
