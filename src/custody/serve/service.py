"""A broker in service: it stands by until the journal is its own, serves, and stops in order.

The application answers from the first moment: while another broker holds the journal it says so (``/readyz``, 503), and
takes over when that one ends.
"""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import ssl
import sys
from pathlib import Path

import msgspec
from opentelemetry.trace import Tracer, get_tracer

from custody import __version__
from custody.broker.chance import Chance
from custody.broker.desk import Standing
from custody.broker.evidence.journal import Journal
from custody.broker.evidence.standby import wait_for_lock
from custody.broker.policy.folder import Reloaded
from custody.errors import EvidenceUnavailable, IdentityRefused, UsageError
from custody.model.brokered import Entry, Service
from custody.pipeline.brokering import sealed
from custody.pipeline.brokering.keeping import keep
from custody.pipeline.brokering.places import journal_folder
from custody.pipeline.brokering.process import Sealing
from custody.pipeline.brokering.sealing import Pushed
from custody.serve.app import build
from custody.serve.composing import Composed
from custody.serve.front import Front
from custody.serve.incidents import rule_of
from custody.serve.lines import Journalist, Sink
from custody.serve.parts import Gauges, Readiness, ServiceParts, Taken
from custody.serve.server import Listening, Server, listening, server, trust
from custody.serve.sets import SetKeys
from custody.serve.spool import SUFFIX, swept
from custody.serve.telling import Teller
from custody.serve.ticking import Ticking
from custody.settings.broker_file import BrokerFile, Intake
from custody.store.reader import Reader

SPOOL = "spool"
YOUNG = 10_000
"""New objects between two collections: a request makes hundreds, nearly all of them gone with it."""
TURN = 0.001
"""Seconds that a thread beside the event loop runs before it has to let the loop on."""
LAG = 60.0
"""Seconds for which lines may wait to be sealed before the broker says that it is not ready."""


class Station:
    """One broker process: the parts, what runs beside them, and how they are."""

    def __init__(self, composed: Composed) -> None:
        self.composed = composed
        self.sealing = Sealing(composed.settings, composed.file.broker, derive_every=composed.file.derive_every)
        self.teller = Teller(composed.settings, told)
        self.saved = 0
        self._ticking = Ticking(self._failed)
        self._stop = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._journal: Journal | None = None
        self._sealing_runs = False
        self.troubles: dict[str, str] = {}

    async def begin(self) -> None:
        """Wait until the journal is this broker's, then begin to issue."""
        composed = self.composed
        folder = journal_folder(composed.settings.store)
        lock = await wait_for_lock(folder, 0.5)
        await self._take_up()
        with Reader.open(composed.settings.store) as reader:
            known = sealed.through(reader, composed.file.broker)
        loaded = await composed.broker.running.load()
        self._journal = Journal.open(
            folder,
            broker=composed.file.broker,
            clock=composed.clock,
            lock=lock,
            known=max(known, loaded.through),
            earlier=self._earlier,
        )
        composed.evidence.open(self._journal)
        await self.sealing.start()
        self._sealing_runs = True
        await composed.broker.start()
        for torn in self._journal.torn:
            fields = {"torn": str(torn)[:200]}
            await composed.broker.running.say(Service(what="recovered", version=__version__, fields=fields))
        self._keeping = asyncio.ensure_future(
            keep(
                self._journal,
                self.sealing,
                every=composed.file.seal_every,
                saved=lambda: self.saved,
                stop=self._stop,
            )
        )
        self._tick()

    async def _take_up(self) -> None:
        """What may have changed while this broker stood by: policies, register, keys. It begins with none of the old.

        UsageError where the policies of now are not sound: nothing is issued by those of before.
        """
        swept(self.composed.folder / SPOOL)
        found = await asyncio.to_thread(self.composed.policies.reload)
        if found.flaws:
            flaw = found.flaws[0]
            raise UsageError("the policies cannot decide", where=flaw.where, found=flaw.message)
        await asyncio.to_thread(self.composed.register.look)
        for backend in self.composed.signing():
            await asyncio.to_thread(backend.take_up)

    async def end(self) -> None:
        """Say that it stops, write behind, seal what is left."""
        await self._ticking.stop()
        await self.teller.stop()
        if self._journal is not None:
            await self.composed.broker.stop()
        self._stop.set()
        if self._keeping is not None:
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._sealing_runs:
            await self.sealing.close()
        if self._journal is not None:
            self._journal.close()
        self.composed.tables.close()

    def live(self) -> bool:
        """Whether what runs beside is still running."""
        return self._keeping is None or not self._keeping.done()

    def ready(self) -> Readiness:
        """Whether requests should come here."""
        reasons = [] if self.composed.broker.running.serving else ["standby"]
        if self._sealing_runs and self.sealing.health().lag > LAG:
            reasons.append("sealing-lag")
        reasons += [f"trouble-{name}" for name in sorted(self.troubles) if name != "policies"]
        return Readiness(ready=not reasons, reasons=tuple(reasons))

    def gauges(self) -> Gauges:
        """The figures for the metrics."""
        live = sum(each.standing is Standing.LIVE for each in self.composed.broker.running.state.leases.values())
        return Gauges(leases=live, lag=self.sealing.health().lag if self._sealing_runs else 0.0)

    async def take(self, name: str, body: bytes | Path, content_type: str) -> Taken:
        """Seal what was pushed (``serve.parts.IntakeDoor``), and open incidents for its alerts."""
        if not self._sealing_runs:
            raise EvidenceUnavailable("this broker stands by", reason="standby")
        path = body if isinstance(body, Path) else await asyncio.to_thread(self._spooled, body)
        try:
            found = await self.sealing.take(Pushed(path, name, rule_of(self.composed.file, name, content_type)))
        finally:
            if path is not body:
                path.unlink(missing_ok=True)
        if found.incidents:
            self.teller.wake()
        skips = sum(count for _, count in found.skips)
        return Taken(first=found.leaf, records=found.records, skips=skips, incidents=found.incidents)

    def _spooled(self, body: bytes) -> Path:
        path = self.composed.folder / SPOOL / f"{secrets.token_hex(16)}{SUFFIX}"
        path.touch(mode=0o600)
        path.write_bytes(body)
        return path

    def _earlier(self, after: int) -> list[Entry]:
        with Reader.open(self.composed.settings.store) as reader:
            return list(sealed.entries(reader, self.composed.file.broker, after))

    def _tick(self) -> None:
        broker = self.composed.broker
        self._ticking.every(0.2, "tables", self._written)
        self._ticking.every(1.0, "reaper", broker.tick)
        self._ticking.every(0.5, "approvals", broker.poll_approvals)
        self._ticking.every(2.0, "register", self._registered)
        self._ticking.every(2.0, "policies", self._reloaded)
        self._ticking.every(60.0, "keys", self._keys)
        self._ticking.every(300.0, "orphans", broker.reaper.orphans)
        self._ticking.every(1.0, "telling", self.teller.look)

    async def _written(self) -> None:
        self.saved = await self.composed.broker.running.write_behind() or self.saved
        self.troubles.pop("tables", None)

    async def _registered(self) -> None:
        await asyncio.to_thread(self.composed.register.look)
        self.troubles.pop("register", None)

    async def _reloaded(self) -> None:
        found: Reloaded = await asyncio.to_thread(self.composed.policies.reload)
        if found.flaws:
            self.troubles["policies"] = f"{found.flaws[0].where}: {found.flaws[0].message}"
        else:
            self.troubles.pop("policies", None)
        if found.changed:
            current = self.composed.policies.current
            fields = {"policy_set": current.sha256, "commit": current.commit or ""}
            await self.composed.broker.running.say(Service(what="policies", version=__version__, fields=fields))

    async def _keys(self) -> None:
        for backend in self.composed.signing():
            kid = await asyncio.to_thread(backend.tend)
            if kid is not None:
                fields = {"backend": backend.name, "kid": kid}
                await self.composed.broker.running.say(Service(what="keys", version=__version__, fields=fields))

    def trusted(self, context: ssl.SSLContext) -> None:
        """Let the TLS layer know of new authorities of trust domains as bundles rotate."""

        async def renewed() -> None:
            trust(context, await self.composed.authorities(self.composed.clock.now()))
            self.troubles.pop("authorities", None)

        self._ticking.every(300.0, "authorities", renewed)

    def _failed(self, name: str, why: str) -> None:
        if self.troubles.get(name) != why:
            self.troubles[name] = why
            told(f"{name}: {why}")


def told(text: str) -> None:
    """A line of the service's own log about what runs beside the requests."""
    sys.stderr.buffer.write(msgspec.json.encode({"level": "error", "event": "trouble", "told": text[:500]}) + b"\n")
    sys.stderr.buffer.flush()


def application(composed: Composed, station: Station, sink: Sink) -> Front:
    """The ASGI application of a broker."""
    file, spool = composed.file, composed.folder / SPOOL
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    return build(
        composed.broker,
        ServiceParts(
            version=__version__,
            clock=composed.clock,
            random=Chance(secrets.token_bytes),
            health=station,
            jwks=composed.jwks,
            metadata=composed.metadata,
            log=sink,
            spool=spool,
            limits=file.limits,
            sign_in=composed.sign_in,
            intake=station if file.intake else None,
            doors=file.intake,
            sets={each.name: _transmitter(file, each) for each in file.intake if each.jwks},
            approvals=f"{'https' if file.tls else 'http'}://{file.approvals.address}",
            tracer=tracer(),
            receivers=station.teller.standings,
        ),
    )


async def serve(composed: Composed, listen: Listening | None = None) -> None:
    """Serve until a signal. What is under way ends first; then the last lines are sealed."""
    sink = Sink(sys.stderr.buffer)
    station = Station(composed)
    front = application(composed, station, sink)
    listen = listen or listening(composed.file, await _authorities(composed))
    if listen.tls is not None:
        station.trusted(listen.tls)
    running = server(front, listen, Journalist(composed.clock, sink))
    begin = asyncio.ensure_future(_begun(station, running))
    _steady()
    try:
        await running.serve()
    finally:
        begin.cancel()
        await asyncio.gather(begin, return_exceptions=True)
        await station.end()
        sink.flush()
    if not begin.cancelled():
        begin.result()
    if not running.started:
        raise UsageError("the address cannot be listened on", where="listen", found=composed.file.listen)


def _steady() -> None:
    """Let requests wait for nothing but themselves: fewer collections, and a short turn for whatever runs beside."""
    gc.collect()
    gc.freeze()  # what is loaded by now lives to the end: no collection needs to walk it
    gc.set_threshold(YOUNG, 10, 50)
    sys.setswitchinterval(TURN)


def _transmitter(file: BrokerFile, door: Intake) -> SetKeys:
    """Whose security event tokens an intake takes."""
    try:
        keys = file.path(door.jwks).read_bytes()
    except OSError as error:
        raise UsageError("the keys cannot be read", where=f"intake.{door.name}", found=str(error.strerror)) from None
    return SetKeys(door.issuer, door.audience, keys)


async def _authorities(composed: Composed) -> tuple[bytes, ...]:
    """The CAs of the SPIFFE bundles; none while a bundle cannot be had: its certificates are refused until it can."""
    if composed.file.tls is None:
        return ()
    try:
        return await composed.authorities(composed.clock.now())
    except IdentityRefused as error:
        told(f"the bundles of trust domains: {error}")
        return ()


async def _begun(station: Station, running: Server) -> None:
    try:
        await station.begin()
    except BaseException:
        running.should_exit = True
        raise


def tracer() -> Tracer | None:
    """A tracer where the environment asks for one by the standard variables (``OTEL_…``); else spans cost nothing."""
    if not any(name.startswith("OTEL_") for name in os.environ):
        return None
    return get_tracer("custody", __version__)
