"""Puts a broker together from its file: every real part at its seam."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from custody import __version__
from custody.broker.approvals.watching import Watcher
from custody.broker.approvals.weighing import Held
from custody.broker.backends import registry
from custody.broker.backends.backend import Backend, Door, Secret
from custody.broker.backends.jwt import JwtBackend
from custody.broker.broker import Broker
from custody.broker.chance import Chance
from custody.broker.clean import Clean
from custody.broker.desk import Person
from custody.broker.keys.published import metadata
from custody.broker.keys.ring import key_set
from custody.broker.parts import Parts
from custody.broker.policy.cedar import CedarEngine
from custody.broker.policy.folder import PolicyFolder
from custody.broker.proof.building import person_prover, provers
from custody.broker.proof.exchange import actors_of
from custody.broker.proof.fetching import guarded
from custody.broker.proof.person import PersonProver
from custody.broker.state.database import DatabaseTables
from custody.errors import StoreError
from custody.model.brokered import Approved
from custody.pipeline.approving.watched import watcher
from custody.pipeline.brokering.places import broker_folder
from custody.serve.approving.serving import secret_of
from custody.serve.known import StoredRegister
from custody.serve.late import LateEvidence
from custody.settings.broker_file import BackendTable, BrokerFile, OidcIssuer
from custody.settings.catalog import Settings
from custody.sources.pasted_secrets import holds
from custody.store.disk import make_folders
from custody.store.writer import Writer


class SystemClock:
    """The time of this machine."""

    def now(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z."""
        return time.time_ns() // 1000


class SignedIn:
    """Signs people in for the service (``serve.parts.SignIn``)."""

    def __init__(self, prover: PersonProver, clock: SystemClock) -> None:
        self._prover, self._clock = prover, clock

    async def person(self, token: bytes) -> Person:
        """Who signed in. IdentityRefused."""
        found = await self._prover.sign_in(token, self._clock.now())
        return Person(key=found.key, roles=found.roles, name=found.name)


class Composed(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that the running of a broker needs a hold on."""

    file: BrokerFile
    settings: Settings
    clock: SystemClock
    evidence: LateEvidence
    tables: DatabaseTables
    register: StoredRegister
    policies: PolicyFolder
    backends: Mapping[str, Backend]
    watch: Watch
    broker: Broker
    sign_in: SignedIn | None
    folder: Path
    authorities: Callable[[int], Awaitable[tuple[bytes, ...]]]

    def jwks(self) -> Mapping[str, object]:
        """The public keys of the backends that sign tokens (RFC 7517)."""
        rings = tuple(each.ring for each in self.signing())
        return {"keys": [msgspec.to_builtins(each) for each in key_set(rings, self.clock.now())["keys"]]}

    def metadata(self) -> Mapping[str, object]:
        """The metadata of the token endpoint (RFC 8414)."""
        return metadata(self.file.issuer)

    def signing(self) -> list[JwtBackend]:
        """The backends that sign tokens."""
        return [each for each in self.backends.values() if isinstance(each, JwtBackend)]


class Watch:
    """The watch over the log of approvals. Where the file pins no key, the first one that is seen is kept for good."""

    def __init__(self, settings: Settings, file: BrokerFile, clock: SystemClock, kept: Path) -> None:
        self._settings, self._file, self._clock, self._kept = settings, file, clock, kept
        self._watcher: Watcher | None = None
        self.lookup: Callable[[str], Held | None] = lambda _: None

    def since(self, leaf: int) -> tuple[Approved, ...]:
        """The decisions from a leaf on, weighed. StoreError while the log cannot be believed: a denial may be in it."""
        if self._watcher is None:
            self._watcher = watcher(self._settings.store, self._pinned(), self.lookup)
        found = self._watcher.since(leaf, self._clock.now())
        if self._watcher.problem:
            raise StoreError("the log of approvals is not believed", found=self._watcher.problem[:300])
        if self._watcher.vkey and not self._file.approvals.vkey and not self._kept.exists():
            self._kept.write_text(self._watcher.vkey, encoding="ascii")
        return found

    def _pinned(self) -> BrokerFile:
        if self._file.approvals.vkey or not self._kept.exists():
            return self._file
        pinned = msgspec.structs.replace(self._file.approvals, vkey=self._kept.read_text(encoding="ascii").strip())
        return msgspec.structs.replace(self._file, approvals=pinned)


def ensure_store(settings: Settings) -> None:
    """Make the store where there is none. StoreError where the one that is there cannot be used."""
    clock = SystemClock()
    from custody.model.times import text

    now = str(text(clock.now() // 1_000_000 * 1_000_000))
    Writer.open(settings.store, settings.keys, now=now, version=__version__, wait=30).close()


def compose(settings: Settings, file: BrokerFile, environment: Mapping[str, str] = os.environ) -> Composed:
    """Every part, checked. UsageError names what is wrong in the file; nothing is served then."""
    ensure_store(settings)
    clock, folder = SystemClock(), broker_folder(settings.store)
    make_folders(folder)
    door = Door(
        clock=clock,
        random=secrets.token_bytes,
        broker=file.broker,
        issuer=file.issuer,
        secret=lambda reference: Secret(secret_of(reference, file, environment, "backends")),
        keys=str(settings.keys / f"broker-{file.broker}"),
    )
    for each in file.backends:
        _check_references(each, file, environment)
    backends = {each.name: registry.build(each, door) for each in file.backends}
    policies, register = PolicyFolder(file.path(file.policies)), StoredRegister(settings.store, clock)
    register.look()
    evidence, watch = LateEvidence(), Watch(settings, file, clock, folder / "approvals.vkey")
    tables = _tables(file, folder, environment)
    people = person_prover(file, lambda private, authority: guarded(private=private, authority=authority))
    once = frozenset(each.issuer for each in file.identities if isinstance(each, OidcIssuer) and each.once)
    proving = provers(file, lambda private, authority: guarded(private=private, authority=authority), once=once)
    broker = Broker(
        Parts(
            broker=file.broker,
            issuer=file.issuer,
            environment=file.environment,
            version=__version__,
            prove=proving.prove,
            actors_of=actors_of,
            register=register,
            policies=CedarEngine(policies),
            backends=backends,
            ttls={each.name: each.max_ttl for each in file.backends},
            evidence=evidence,
            tables=tables,
            clock=clock,
            random=Chance(secrets.token_bytes),
            approvals=watch.since,
            secretive=Clean(holds),
        )
    )
    watch.lookup = _lookup(broker, file.broker)
    return Composed(
        file=file,
        settings=settings,
        clock=clock,
        evidence=evidence,
        tables=tables,
        register=register,
        policies=policies,
        backends=backends,
        watch=watch,
        broker=broker,
        sign_in=None if people is None else SignedIn(people, clock),
        folder=folder,
        authorities=proving.authorities,
    )


def _tables(file: BrokerFile, folder: Path, environment: Mapping[str, str]) -> DatabaseTables:
    """The tables of the broker's state. The password is read at each connection: it may be changed meanwhile."""

    def password() -> Secret:
        return Secret(secret_of(file.state_password, file, environment, "state_password"))

    if file.state_password:
        password()  # one that is not there is said before anything is connected
    url = file.state or f"sqlite:///{folder / 'state.db'}"
    return DatabaseTables(url, broker=file.broker, password=password if file.state_password else None)


def _check_references(table: BackendTable, file: BrokerFile, environment: Mapping[str, str]) -> None:
    """UsageError where a secret that a backend's options refer to is not there."""
    for name, value in table.options.items():
        if isinstance(value, str) and value.startswith(("env:", "file:")):
            secret_of(value, file, environment, f"backends.{table.name}.{name}")


def _lookup(broker: Broker, name: str) -> Callable[[str], Held | None]:
    """The broker's own request, for the weighing of what people decided about it."""

    def find(request: str) -> Held | None:
        kept = broker.running.state.requests.get(request) or broker.running.parts.tables.request(request)
        return None if kept is None else Held(name, kept.pending.chain or "", kept.body)

    return find
