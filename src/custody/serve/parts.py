"""What the edge hands to the service besides the broker: who signs people in, who seals what is pushed, health."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec
from opentelemetry.trace import Tracer

from custody.broker.clock import Clock, Random
from custody.broker.desk import Person
from custody.settings.broker_file import Intake, Limits


class SignIn(Protocol):
    """Knows people by their ID tokens."""

    async def person(self, token: bytes) -> Person:
        """Who signed in, with their roles. IdentityRefused with a stable reason; the token is never quoted."""
        ...


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a pushed log: the leaf of its first record (None: all were known), records and skips sealed.

    ``incidents`` are those that its alerts opened, or that name them already.
    """

    first: int | None
    records: int
    skips: int = 0
    incidents: tuple[str, ...] = ()


class IntakeDoor(Protocol):
    """Seals what is pushed."""

    async def take(self, name: str, body: bytes | Path, content_type: str) -> Taken:
        """Returns when every record is sealed under a signed checkpoint; StoreError or EvidenceUnavailable: none is.

        ``name`` is the intake's, from the broker file. A path is read before the call returns and removed after it.
        """
        ...


class SetDoor(Protocol):
    """Verifies security event tokens (RFC 8417) of the transmitter of one intake."""

    async def claims(self, token: bytes) -> bytes:
        """The claims of a verified token: the JSON bytes that were signed. IdentityRefused with a stable reason."""
        ...


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether requests should come here, and if not, why not: words such as ``standby``, ``sealing-lag``, ``disk``."""

    ready: bool
    reasons: tuple[str, ...] = ()


class Gauges(msgspec.Struct, frozen=True, kw_only=True):
    """Figures that are read when asked for: live leases, seconds since the oldest line that is not sealed yet."""

    leases: int = 0
    lag: float = 0.0


class Receiving(msgspec.Struct, frozen=True, kw_only=True):
    """How one who follows incidents is: steps told and turns that failed since the start, and what waits now.

    ``aside`` counts what it refused so often that it is not sent any more. ``away``: it takes nothing now.
    """

    receiver: str
    told: int = 0
    failed: int = 0
    behind: int = 0
    aside: int = 0
    away: bool = False


def nobody() -> tuple[Receiving, ...]:
    """No receiver."""
    return ()


class Health(Protocol):
    """How the broker is. None of it waits for anything."""

    def live(self) -> bool:
        """Whether the process does its work at all; False: restart it."""
        ...

    def ready(self) -> Readiness:
        """Whether it can issue now."""
        ...

    def gauges(self) -> Gauges:
        """The figures for the metrics."""
        ...


Document = Mapping[str, object]
"""A JSON object."""


class ServiceParts(msgspec.Struct, frozen=True, kw_only=True):
    """All parts. ``log`` takes lines of JSON; without ``sign_in``, ``intake`` or ``tracer`` there are none.

    ``jwks`` and ``metadata`` (RFC 8414) give the documents as they are now. ``approvals`` is the URL of the service
    where people approve, empty where it is not known. ``sets`` has the verifier for each intake that takes security
    event tokens. ``spool`` is a folder of the broker's own for bodies that are too large to hold.
    """

    version: str
    clock: Clock
    random: Random
    health: Health
    jwks: Callable[[], Document]
    metadata: Callable[[], Document]
    log: Callable[[bytes], None]
    spool: Path
    limits: Limits = Limits()
    sign_in: SignIn | None = None
    intake: IntakeDoor | None = None
    doors: tuple[Intake, ...] = ()
    sets: Mapping[str, SetDoor] = {}
    approvals: str = ""
    tracer: Tracer | None = None
    receivers: Callable[[], tuple[Receiving, ...]] = nobody
