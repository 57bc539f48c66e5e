"""``Tables`` in a database: SQLite in a file of the broker's own, or PostgreSQL by URL.

The journal is the truth and the tables follow it, so a commit that a power cut undoes is made again from the journal:
SQLite need not wait for the disk at each one. Two brokers never write: whoever loads takes the tables over, and what an
earlier one still writes is refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, Select, Table, and_, create_engine, event, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from custody.broker.desk import Containment, Lease, Page, Standing
from custody.broker.state.migrating import upgrade
from custody.broker.state.rows import CONTAINMENTS, LEASES, ONCE, PROGRESS, REQUESTS
from custody.broker.state.tables import OVER, UNDECIDED, Changes, Kept, Loaded, Once, as_of
from custody.errors import StoreError, UsageError
from custody.model.broker_terms import Ending

T = TypeVar("T", bound=msgspec.Struct)

_ENCODER = msgspec.json.Encoder()
_LEASE = msgspec.json.Decoder(Lease)
_KEPT = msgspec.json.Decoder(Kept)
_CONTAINMENT = msgspec.json.Decoder(Containment)
_ONCE = msgspec.json.Decoder(Once)


class DatabaseTables:
    """The tables behind an SQLAlchemy URL, brought to this version's shape when it is opened.

    UsageError where the URL is none, StoreError where the database refuses or is of a newer custody.
    """

    def __init__(self, url: str) -> None:
        self._where, self._engine = _engine(url)
        self._owner = 0
        with self._guarded("opening"):
            upgrade(self._engine)

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()

    def load(self, now: int) -> Loaded:
        """Take the tables over, and give what is not over."""
        with self._guarded("loading"), self._engine.begin() as connection:
            row = connection.execute(select(PROGRESS)).one()
            self._owner = row.owner + 1
            taken = connection.execute(PROGRESS.update().where(PROGRESS.c.owner == row.owner).values(owner=self._owner))
            if taken.rowcount != 1:
                raise StoreError("another broker took the tables over at the same time", where=self._where)
            return Loaded(
                through=row.through,
                approvals=row.approvals,
                leases=tuple(_values(connection, select(LEASES.c.value).where(_open(now)), _LEASE)),
                requests=tuple(
                    _values(connection, select(REQUESTS.c.value).where(REQUESTS.c.state.in_(UNDECIDED)), _KEPT)
                ),
                containments=tuple(_values(connection, select(CONTAINMENTS.c.value), _CONTAINMENT)),
            )

    def save(self, changes: Changes) -> None:
        """Keep the changes, all or none; what is kept already changes nothing."""
        with self._guarded("saving"), self._engine.begin() as connection:
            if not self._advance(connection, changes):
                return
            _put(connection, LEASES, "chain", [_lease_row(each) for each in changes.leases])
            _put(connection, REQUESTS, "request", [_request_row(each) for each in changes.requests])
            if changes.enabled:
                connection.execute(CONTAINMENTS.delete().where(CONTAINMENTS.c.identity.in_(changes.enabled)))
            _put(connection, CONTAINMENTS, "identity", [_containment_row(each) for each in changes.containments])
            _put(connection, ONCE, "key", [_once_row(each) for each in changes.once])
            if changes.once:
                oldest = min(each.until for each in changes.once)
                connection.execute(ONCE.delete().where(ONCE.c.until < oldest - 24 * 3600 * 1_000_000))

    def lease(self, chain: str) -> Lease | None:
        """One lease."""
        return self._one(select(LEASES.c.value).where(LEASES.c.chain == chain), _LEASE)

    def leases(
        self, page: Page, *, now: int, identity: str | None = None, standing: str | None = None
    ) -> Sequence[Lease]:
        """Leases in order of chain id, each as it stands at ``now``."""
        wanted = select(LEASES.c.value).order_by(LEASES.c.chain).limit(page.limit)
        if page.after is not None:
            wanted = wanted.where(LEASES.c.chain > page.after)
        if identity is not None:
            wanted = wanted.where(LEASES.c.identity == identity)
        if standing is not None:
            wanted = wanted.where(_stands(standing, now))
        return [as_of(each, now) for each in self._all(wanted, _LEASE)]

    def below(self, chain: str) -> Sequence[Lease]:
        """The leases that descend from one and are not over."""
        wanted = select(LEASES.c.value).where(LEASES.c.parent == chain, LEASES.c.standing.not_in(OVER))
        return self._all(wanted.order_by(LEASES.c.chain), _LEASE)

    def request(self, request: str) -> Kept | None:
        """One request."""
        return self._one(select(REQUESTS.c.value).where(REQUESTS.c.request == request), _KEPT)

    def requests(self, page: Page, *, state: str | None = None) -> Sequence[Kept]:
        """Requests in order of id."""
        wanted = select(REQUESTS.c.value).order_by(REQUESTS.c.request).limit(page.limit)
        if page.after is not None:
            wanted = wanted.where(REQUESTS.c.request > page.after)
        if state is not None:
            wanted = wanted.where(REQUESTS.c.state == state)
        return self._all(wanted, _KEPT)

    def once(self, key: str) -> Once | None:
        """An idempotency key that was used."""
        return self._one(select(ONCE.c.value).where(ONCE.c.key == key), _ONCE)

    def _advance(self, connection: Connection, changes: Changes) -> bool:
        """Whether the changes are new. StoreError where another broker has taken over."""
        row = connection.execute(select(PROGRESS)).one()
        if row.owner != self._owner:
            raise StoreError("another broker took the tables over", where=self._where)
        if row.through >= changes.through:
            return False
        moved = connection.execute(
            PROGRESS.update()
            .where(PROGRESS.c.owner == self._owner, PROGRESS.c.through == row.through)
            .values(through=changes.through, approvals=max(changes.approvals, row.approvals))
        )
        if moved.rowcount != 1:
            raise StoreError("another broker took the tables over", where=self._where)
        return True

    def _one(self, wanted: Select[tuple[str]], decoder: msgspec.json.Decoder[T]) -> T | None:
        return next(iter(self._all(wanted.limit(1), decoder)), None)

    def _all(self, wanted: Select[tuple[str]], decoder: msgspec.json.Decoder[T]) -> list[T]:
        with self._guarded("reading"), self._engine.connect() as connection:
            return list(_values(connection, wanted, decoder))

    @contextmanager
    def _guarded(self, doing: str) -> Iterator[None]:
        """The database's errors in words of ours: its own could quote a URL with a password, or what was to be kept."""
        try:
            yield
        except (SQLAlchemyError, msgspec.MsgspecError, OSError) as error:
            kind = type(getattr(error, "orig", None) or error).__name__
            raise StoreError(
                f"the broker's tables failed while {doing}",
                where=self._where,
                found=kind,
                advice="The journal has everything: the broker goes on when the database is back.",
            ) from None


def _engine(url: str) -> tuple[str, Engine]:
    try:
        parsed = make_url(url)
        where = parsed.render_as_string(hide_password=True)
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise UsageError("a database that is not known", where="state", found=parsed.get_backend_name()[:40])
        if parsed.get_backend_name() == "postgresql":
            engine = create_engine(parsed, pool_pre_ping=True, pool_size=4)
            return where, engine
        if parsed.database and parsed.database != ":memory:":
            _own_file(Path(parsed.database))
        engine = create_engine(parsed, connect_args={"timeout": 10, "check_same_thread": False})
    except (ArgumentError, ImportError) as error:
        raise UsageError("not a database URL", where="state", found=type(error).__name__) from None
    event.listen(engine, "connect", _tuned)
    return where, engine


def _own_file(path: Path) -> None:
    """The file, made for its owner alone."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as error:
        raise StoreError("the broker's tables cannot be made", where=str(path), found=str(error.strerror)) from None


def _tuned(connection: Callable[[], object], _: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]  # the DB-API's own, which has no type
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _open(now: int) -> ColumnElement[bool]:
    waits = and_(LEASES.c.ends == Ending.EXPIRY, LEASES.c.standing != Standing.PLANNED, LEASES.c.not_after <= now)
    return and_(LEASES.c.standing.not_in(OVER), ~waits)


def _stands(standing: str, now: int) -> ColumnElement[bool]:
    if standing == Standing.ENDED:
        return or_(LEASES.c.standing == standing, and_(LEASES.c.standing.not_in(OVER), ~_open(now)))
    return and_(LEASES.c.standing == standing, or_(LEASES.c.standing.in_(OVER), _open(now)))


def _values(connection: Connection, wanted: Select[tuple[str]], decoder: msgspec.json.Decoder[T]) -> Iterator[T]:
    yield from map(decoder.decode, connection.scalars(wanted))


def _put(connection: Connection, table: Table, key: str, rows: list[dict[str, object]]) -> None:
    if not rows:
        return
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    made = insert(table)
    others = {column.name: made.excluded[column.name] for column in table.columns if column.name != key}
    connection.execute(made.on_conflict_do_update(index_elements=[key], set_=others), rows)


def _lease_row(lease: Lease) -> dict[str, object]:
    return {
        "chain": lease.chain,
        "identity": lease.identity,
        "standing": str(lease.standing),
        "ends": str(lease.ends),
        "not_after": lease.not_after,
        "parent": lease.parent,
        "value": _text(lease),
    }


def _request_row(kept: Kept) -> dict[str, object]:
    pending = kept.pending
    return {"request": pending.request, "state": str(pending.state), "until": pending.until, "value": _text(kept)}


def _containment_row(containment: Containment) -> dict[str, object]:
    return {"identity": containment.identity, "value": _text(containment)}


def _once_row(once: Once) -> dict[str, object]:
    return {"key": once.key, "until": once.until, "value": _text(once)}


def _text(value: msgspec.Struct) -> str:
    return _ENCODER.encode(value).decode()
