"""The service as the tests run it: its parts, a client in this process, a real server on a port of this machine."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import count
from pathlib import Path

import msgspec
import uvloop

from custody.broker.desk import Desk, Person
from custody.errors import CustodyError, IdentityRefused
from custody.serve.app import build
from custody.serve.front import Front
from custody.serve.lines import Journalist
from custody.serve.parts import Gauges, Readiness, ServiceParts, Taken
from custody.serve.server import Listening, server
from custody.settings.broker_file import Intake, Limits
from tests.serve.desk import NOW

ROLES = ("auditor", "approver", "operator", "admin")
PUSH = "must-not-stay-push"
OTHER_PUSH = "must-not-stay-other-push"
PATIENT = Limits(rate=1e6, burst=10**6, intake=4 << 20)


class Clock:
    """A clock that stands."""

    def now(self) -> int:
        return NOW


class Random:
    """Bytes that are never the same, and always the same."""

    def __init__(self) -> None:
        self._drawn = count(1)

    def __call__(self, size: int) -> bytes:
        return sha256(str(next(self._drawn)).encode()).digest()[:size]


class People:
    """Tokens are ``must-not-stay-ROLE``, or two roles with a dot between them."""

    async def person(self, token: bytes) -> Person:
        roles = frozenset(token.decode().removeprefix("must-not-stay-").split("."))
        if not roles <= {*ROLES, "nobody"}:
            raise IdentityRefused("the signature does not verify", reason="bad-signature")
        return Person(key=f"person:id.example:{token.decode().removeprefix('must-not-stay-')}", roles=roles)


class Sealer:
    """Keeps what it is handed, as if it were sealed."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """As at the beginning."""
        self.taken: list[tuple[str, bytes, str]] = []
        self.files: list[Path] = []
        self.error: CustodyError | None = None

    async def take(self, name: str, body: bytes | Path, content_type: str) -> Taken:
        if isinstance(body, Path):
            self.files.append(body)
        if self.error is not None:
            raise self.error
        self.taken.append((name, body.read_bytes() if isinstance(body, Path) else body, content_type))
        return Taken(first=41, records=2, skips=1)


class Health:
    """As it is told to be."""

    def __init__(self) -> None:
        self.alive = True
        self.readiness = Readiness(ready=True)

    def live(self) -> bool:
        return self.alive

    def ready(self) -> Readiness:
        return self.readiness

    def gauges(self) -> Gauges:
        return Gauges(leases=3, lag=0.5)


class Lines:
    """The lines of the log."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []

    def __call__(self, line: bytes) -> None:
        self.raw.append(line)

    def all(self) -> list[dict[str, object]]:
        return [msgspec.json.decode(each, type=dict[str, object]) for each in self.raw]

    def last(self) -> dict[str, object]:
        return self.all()[-1]


def intakes() -> tuple[Intake, ...]:
    return (
        Intake(name="cluster", token_sha256=sha256(PUSH.encode()).hexdigest()),
        Intake(name="other", token_sha256=sha256(OTHER_PUSH.encode()).hexdigest().upper()),
    )


def parts_of(spool: Path, **changes: object) -> ServiceParts:
    """Parts that work, but for what is changed."""
    made = ServiceParts(
        version="1.2.3",
        clock=Clock(),
        random=Random(),
        health=Health(),
        jwks=lambda: {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "one"}]},
        metadata=lambda: {"issuer": "https://broker.example", "token_endpoint": "https://broker.example/token"},
        log=Lines(),
        spool=spool,
        limits=PATIENT,
        sign_in=People(),
        intake=Sealer(),
        doors=intakes(),
        approvals="https://approve.example/",
    )
    return msgspec.structs.replace(made, **changes)


def bearer(token: str) -> dict[str, str]:
    """The header with a token."""
    return {"Authorization": f"Bearer {token}"}


def person(roles: str) -> dict[str, str]:
    """The header of somebody with these roles."""
    return bearer(f"must-not-stay-{roles}")


@contextmanager
def served(
    desk: Desk, parts: ServiceParts, tls: ssl.SSLContext | None = None, *, most: int = 1024, keep_alive: int = 30
) -> Iterator[int]:
    """The port of a real server, until the block ends."""
    app = build(desk, parts)
    with listening(app, parts, tls, most=most, keep_alive=keep_alive) as port:
        yield port


@contextmanager
def listening(
    app: Front, parts: ServiceParts, tls: ssl.SSLContext | None, *, most: int, keep_alive: int
) -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        listen = Listening(
            host="127.0.0.1", port=port, tls=tls, limits=parts.limits, most=most, keep_alive=keep_alive, drain=2
        )
        made = server(app, listen, Journalist(parts.clock, parts.log))
        ready = threading.Event()
        thread = threading.Thread(target=lambda: uvloop.run(_serve(made, taken, ready)), daemon=True)
        thread.start()
        assert ready.wait(10)
        yield port
        made.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


async def _serve(made: object, taken: socket.socket, ready: threading.Event) -> None:
    from custody.serve.server import Server

    assert isinstance(made, Server)
    running = asyncio.ensure_future(made.serve([taken]))
    while not made.started and not running.done():
        await asyncio.sleep(0.005)
    ready.set()
    await running
