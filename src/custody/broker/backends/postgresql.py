"""The backend that makes PostgreSQL roles: one login role a credential, dropped at its end with its sessions killed.

The broker's own role needs CREATEROLE, ADMIN OPTION on the groups that it gives, and pg_signal_backend; it is no
superuser. See docs/backends.md. The password never reaches the server: only its SCRAM verifier does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import msgspec

from custody.broker.backends import asking
from custody.broker.backends import postgresql_roles as roles
from custody.broker.backends.backend import Door, Held, Made, Order, Secret, Seen
from custody.broker.keys.signer import encoded
from custody.errors import BackendFailed, UsageError
from custody.model import keys, times
from custody.model.broker_terms import Ending, Plan
from custody.model.brokered import CHAIN, Effect

if TYPE_CHECKING:
    from psycopg import Connection, Error

KIND = "postgresql"
_NAME = re.compile(CHAIN.replace("cc-", "cc_", 1), re.ASCII)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the server is, who the broker is there, and which groups a word of scope gives.

    ``host`` is an address or the folder of a socket; ``password`` a reference (``env:NAME``, ``file:PATH``). Anything
    but a verified certificate (``sslmode``, as libpq has it) is taken only on this machine. ``connections`` bounds each
    credential's sessions. ``owned`` says what becomes of what a credential made in the database: ``keep`` (its role
    stays, locked), ``drop``, or ``reassign`` to the role ``heir``. ``tell`` is handed over beside the password in place
    of ``host``, ``port`` and ``database``. Timeouts are in seconds.
    """

    host: str
    user: str
    scopes: dict[str, tuple[str, ...]]
    port: int = 5432
    database: str = "postgres"
    password: str | None = None
    sslmode: Literal["verify-full", "verify-ca", "require", "disable"] = "verify-full"
    sslrootcert: str | None = None
    audiences: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    connections: int = 5
    owned: Literal["keep", "drop", "reassign"] = "keep"
    heir: str | None = None
    tell: dict[str, str] = {}
    connect_timeout: int = 5
    statement_timeout: int = 10


OPTIONS = Options


class PostgresqlBackend:
    """One connection a call: nothing is held open between calls."""

    kind = KIND
    ends = Ending.KILLED_WITH_SESSIONS
    quick = False

    def __init__(self, name: str, options: Options, door: Door) -> None:
        self.name = name
        self.max_ttl = 86_400
        self._options = options
        self._door = door

    def plan(self, order: Order) -> Plan:
        """The role is named for the chain; every word of scope must be in the broker file."""
        options, intent = self._options, order.intent
        name = asking.chain_of(self.name, order).replace("-", "_")
        asking.within(self.name, order, least=1, most=self.max_ttl)
        asking.listed(self.name, "audience", intent.audience, options.audiences)
        asking.listed(self.name, "resource", intent.resource, options.resources)
        asking.details(self.name, intent.details, ())
        scope = asking.listed(self.name, "scope", intent.scope, options.scopes)
        if not scope:
            raise asking.refused(self.name, "no-scope", "a role without a scope could do nothing")
        key = _key(name)
        return asking.planned(
            order,
            kind=KIND,
            ends=self.ends,
            name=name,
            not_after=asking.expiry(order),
            scope=scope,
            key=key,
            subject=key,
        )

    def issue(self, order: Order, plan: Plan) -> Made:
        """Make the role with its groups and its receipt, all or nothing."""
        password = Secret(encoded(self._door.random(32)))
        groups = {group: None for word in plan.scope for group in self._options.scopes[word]}
        wanted = roles.Wanted(
            name=plan.name,
            until=plan.not_after,
            connections=self._options.connections,
            groups=tuple(groups),
            receipt=roles.Receipt(order.chain, order.broker, order.decided),
        )
        sent = False
        with self._answers("issue", lambda: sent), self._connected() as connection:
            role = roles.made(connection, wanted, password.reveal())
            sent = True
            connection.commit()
        return self._made(plan, role, password)

    def end(self, held: Held) -> None:
        """Lock the role, take its groups, kill its sessions, drop it.

        Where it cannot be dropped it stays locked, which ``look`` tells. The lock is committed first: from then on
        nobody logs in, whatever becomes of the rest.
        """
        name, options = _checked(held), self._options
        with self._answers("end", lambda: True), self._connected(autocommit=True) as connection:
            oid = roles.locked(connection, name)
            if oid is not None:
                roles.leave_groups(connection, name, oid)
            for each in {oid, _oid(held)} - {None}:
                roles.kill_sessions(connection, name, each or 0)
            if oid is None:
                return
            for database in roles.places(connection, oid):
                with self._connected(database) as other:
                    if not roles.disowned(other, name, oid, owned=options.owned, heir=options.heir):
                        return
                    other.commit()
            roles.dropped(connection, name)

    def look(self, held: Held) -> Seen:
        """What pg_roles and pg_stat_activity show."""
        name = _checked(held)
        with self._answers("look", lambda: True), self._connected(autocommit=True) as connection:
            return roles.seen(connection, name, _oid(held))

    def probe(self, held: Held, secret: Secret) -> Seen | None:
        """Try to log in. That it is refused says nothing of sessions that are open: unknown, and what was answered."""
        import psycopg

        try:
            with self._connected(user=_checked(held), password=secret, autocommit=True):
                return Seen(effect=Effect.ALIVE, told={"login": "taken"})
        except psycopg.Error as error:
            return Seen(effect=Effect.UNKNOWN, told={"login": "refused" if roles.answered(error) else "no answer"})

    def orphans(self, known: Callable[[str], bool]) -> tuple[str, ...]:
        """The chains of roles whose comment is a receipt of this broker; their roles are named ``cc_…`` for them."""
        with self._answers("orphans", lambda: True), self._connected(autocommit=True) as connection:
            found = roles.receipts(connection)
        ours = [(name, each.chain) for name, each in found if each.broker == self._door.broker]
        return tuple(sorted(chain for name, chain in ours if name == chain.replace("-", "_") and not known(chain)))

    def _made(self, plan: Plan, role: roles.Role, password: Secret) -> Made:
        options, key = self._options, _key(plan.name)
        place = {"host": options.host, "port": str(options.port), "database": options.database}
        return Made(
            keys=(key,),
            type=f"custody:{KIND}",
            not_after=role.until,
            scope=plan.scope,
            subject=key,
            secrets={"username": Secret(plan.name), "password": password},
            facts={**place, **options.tell},
            server={"oid": str(role.oid), "made_at": str(times.text(role.made)), "version": role.version},
        )

    @contextmanager
    def _connected(
        self,
        database: str | None = None,
        *,
        user: str | None = None,
        password: Secret | None = None,
        autocommit: bool = False,
    ) -> Iterator[Connection[tuple[object, ...]]]:
        import psycopg

        options = self._options
        if password is None and options.password is not None:
            password = self._own_password(options.password)
        limits = (options.statement_timeout * 1000, options.statement_timeout * 500)
        connection = psycopg.connect(
            host=options.host,
            port=options.port,
            dbname=database or options.database,
            user=user or options.user,
            password=password.reveal() if password else None,
            sslmode=options.sslmode,
            sslrootcert=options.sslrootcert,
            gssencmode="disable",
            connect_timeout=options.connect_timeout,
            tcp_user_timeout=1000 * (options.connect_timeout + options.statement_timeout),
            application_name=f"custody broker {self._door.broker}",
            # Nothing that workloads can write to may stand in the way of the names that are meant.
            options=f"-c search_path=pg_catalog -c statement_timeout={limits[0]} -c lock_timeout={limits[1]}",
            autocommit=autocommit,
        )
        try:
            yield connection
        finally:
            connection.close()

    def _own_password(self, reference: str) -> Secret:
        try:
            return self._door.secret(reference)
        except UsageError as error:
            raise BackendFailed(
                "the broker's own password is not there",
                reason="no-secret",
                where=f"backend {self.name}",
                found=error.message,
                left_unknown=False,
            ) from None

    @contextmanager
    def _answers(self, step: str, left: Callable[[], bool]) -> Iterator[None]:
        """Every failure as BackendFailed: what the server said is a code, as its words may quote anything."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            raise self._failed(step, error, left_unknown=left()) from None

    def _failed(self, step: str, error: Error, *, left_unknown: bool) -> BackendFailed:
        state = roles.state_of(error)
        exists = state == roles.EXISTS
        return BackendFailed(
            f"PostgreSQL did not do it: {step}",
            reason="exists" if exists else roles.reason_of(error),
            where=f"backend {self.name}",
            found=f"{state} {type(error).__name__}".strip(),
            left_unknown=left_unknown or exists,
        )


def _checked(held: Held) -> str:
    """The role's name, if it is one of ours: no other role is ever locked, killed or dropped."""
    name = held.plan.name
    if not _NAME.fullmatch(name):
        raise BackendFailed("not a role of a chain", reason="not-a-chain", found=asking.shown(name), left_unknown=False)
    return name


def _oid(held: Held) -> int | None:
    text = held.server.get("oid", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _key(name: str) -> str:
    return keys.scoped("db_role", "postgresql", name)


def build(name: str, options: Options, door: Door) -> PostgresqlBackend:
    """The backend; nothing is connected to yet."""
    where = f"backends.{name}.options"
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise UsageError(
            "PostgreSQL roles need psycopg", where=where, advice="pip install custody[broker-postgresql]"
        ) from None
    here = options.host in _LOOPBACK or options.host.startswith("/")
    if options.sslmode in ("require", "disable") and not here:
        raise UsageError(
            "a connection that nobody verifies",
            where=f"{where}.sslmode",
            found=options.sslmode,
            expected="verify-full or verify-ca",
        )
    groups = list(options.scopes.values())
    if not groups or not all(groups) or any(not name or "\0" in name for listed in groups for name in listed):
        raise UsageError("a scope without a group", where=f"{where}.scopes", expected="each word with its groups")
    if (options.owned == "reassign") != (options.heir is not None) or options.heir == options.user:
        raise UsageError(
            "an heir that does not fit",
            where=f"{where}.heir",
            found=str(options.heir),
            expected="with owned = reassign, and not the broker's own role",
            advice="What a credential made may be a function that runs as its owner: name a role that can do nothing.",
        )
    if min(options.connections, options.connect_timeout, options.statement_timeout) < 1:
        raise UsageError("a limit below one", where=where, expected="connections and timeouts of 1 or more")
    return PostgresqlBackend(name, options, door)
