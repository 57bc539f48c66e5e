"""``Tables`` in a database: SQLite in a file of the broker's own, or PostgreSQL by URL.

The journal is the truth and the tables follow it, so a commit that a power cut undoes is made again from the journal:
SQLite need not wait for the disk at each one. Two brokers never write: whoever loads takes the tables over, and what an
earlier one still writes is refused. Every transaction that writes changes the row of progress first, so that one waits
for the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import msgspec
from alembic.util import CommandError
from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select, union_all
from sqlalchemy.exc import SQLAlchemyError

from custody.broker.backends.backend import Secret
from custody.broker.desk import Containment, Lease, Page, RequestState, Standing
from custody.broker.state.fold import HELD_ONCE
from custody.broker.state.migrating import upgrade
from custody.broker.state.opening import AT_ONCE, opened
from custody.broker.state.rows import CONTAINMENTS, LEASES, LINKS, ONCE, PROGRESS, REQUESTS
from custody.broker.state.tables import OVER, UNDECIDED, Changes, Kept, Loaded, Once, as_of, kept_at
from custody.broker.state.writing import IDENTITY, PARENT, column, write
from custody.errors import StoreError
from custody.model.broker_terms import Ending

T = TypeVar("T", bound=msgspec.Struct)

_LEASE = msgspec.json.Decoder(Lease)
_KEPT = msgspec.json.Decoder(Kept)
_CONTAINMENT = msgspec.json.Decoder(Containment)
_ONCE = msgspec.json.Decoder(Once)

_LIVING = sorted(each.value for each in Standing if each not in OVER)
_NEVER = -1


class DatabaseTables:
    """The tables behind an SQLAlchemy URL, brought to this version's shape when it is opened.

    With a ``broker``, they are that broker's alone from the first time that it loads them. The ``password`` is asked
    for where a server wants one. UsageError where the URL cannot be used, StoreError where the database refuses,
    StoreNewer where a newer custody made the tables.
    """

    def __init__(self, url: str, *, broker: str = "", password: Callable[[], Secret] | None = None) -> None:
        self._where, self._engine = opened(url, password)
        self._broker, self._owner = broker, _NEVER
        try:
            with self._guarded("opening"):
                upgrade(self._engine, self._where)
        except StoreError:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()

    def load(self, now: int) -> Loaded:
        """Take the tables over, and give what is not over. StoreError where they are another broker's."""
        with self._writing("loading") as connection:
            owner = self._take_over(connection)
            row = connection.execute(select(PROGRESS.c.through, PROGRESS.c.approvals)).one()
            undecided = select(REQUESTS.c.value).where(REQUESTS.c.state.in_(sorted(UNDECIDED)))
            loaded = Loaded(
                through=row.through,
                approvals=row.approvals,
                leases=tuple(_values(connection, select(LEASES.c.value).where(_open(now)), _LEASE)),
                requests=tuple(_values(connection, undecided, _KEPT)),
                containments=tuple(_values(connection, select(CONTAINMENTS.c.value), _CONTAINMENT)),
            )
        self._owner = owner
        return loaded

    def save(self, changes: Changes) -> None:
        """Keep the changes, all or none; what is kept already changes nothing. Only what has loaded may save."""
        with self._writing("saving") as connection:
            if not self._advance(connection, changes):
                return
            write(connection, changes)
            if changes.once:
                used = min(each.until for each in changes.once) - HELD_ONCE
                connection.execute(ONCE.delete().where(ONCE.c.until < used))

    def lease(self, chain: str) -> Lease | None:
        """One lease."""
        return self._one(select(LEASES.c.value).where(LEASES.c.chain == column(chain)), _LEASE)

    def leases(
        self, page: Page, *, now: int, identity: str | None = None, standing: str | None = None
    ) -> Sequence[Lease]:
        """Leases in order of chain id, each as it stands at ``now``."""
        wanted = select(LEASES.c.value).order_by(LEASES.c.chain).limit(page.limit)
        if page.after is not None:
            wanted = wanted.where(LEASES.c.chain > column(page.after))
        if identity is not None:
            wanted = wanted.where(LEASES.c.identity == column(identity))
        if standing is not None:
            wanted = wanted.where(_stands(standing, now))
        return [as_of(each, now) for each in self._all(wanted, _LEASE)]

    def held_by(self, identity: str, *, now: int) -> Sequence[Lease]:
        """The leases that an identity holds or takes part in and that are not over."""
        name = column(identity)
        holds = select(LEASES.c.chain).where(_open(now, LEASES.c.identity == name))
        return self._among(holds, _linked(IDENTITY, name), now)

    def below(self, chain: str, *, now: int) -> Sequence[Lease]:
        """The leases that descend from one and are not over."""
        name = column(chain)
        return self._among(select(LEASES.c.chain).where(LEASES.c.parent == name), _linked(PARENT, name), now)

    def request(self, request: str) -> Kept | None:
        """One request."""
        return self._one(select(REQUESTS.c.value).where(REQUESTS.c.request == column(request)), _KEPT)

    def requests(self, page: Page, *, now: int, state: str | None = None) -> Sequence[Kept]:
        """Requests in order of id. Of the undecided ones only their whole value says how they stand at ``now``."""
        wanted = select(REQUESTS.c.value).order_by(REQUESTS.c.request).limit(page.limit)
        if state is not None:
            wanted = wanted.where(_may_stand(state, now))
        found: list[Kept] = []
        after = page.after
        while len(found) < page.limit:
            rows = self._all(wanted if after is None else wanted.where(REQUESTS.c.request > column(after)), _KEPT)
            found += [each for each in (kept_at(row, now) for row in rows) if state in (None, each.pending.state)]
            if len(rows) < page.limit:
                break
            after = rows[-1].pending.request
        return found[: page.limit]

    def once(self, key: str) -> Once | None:
        """An idempotency key that was used."""
        return self._one(select(ONCE.c.value).where(ONCE.c.key == column(key)), _ONCE)

    def _take_over(self, connection: Connection) -> int:
        """The number under which this broker writes from here on."""
        taking = PROGRESS.update().values(owner=PROGRESS.c.owner + 1)
        if self._broker:
            taking = taking.where(PROGRESS.c.broker.in_(("", self._broker))).values(broker=self._broker)
        if connection.execute(taking).rowcount != 1:
            found = connection.scalars(select(PROGRESS.c.broker)).one_or_none()
            raise StoreError(
                "these are another broker's tables",
                where=self._where,
                found=(found or "none")[:64],
                expected=self._broker,
                advice="Give each broker a database of its own.",
            )
        return int(connection.scalars(select(PROGRESS.c.owner)).one())

    def _advance(self, connection: Connection, changes: Changes) -> bool:
        """Whether the changes are new. StoreError where another broker has taken over."""
        moved = connection.execute(
            PROGRESS.update()
            .where(PROGRESS.c.owner == self._owner, PROGRESS.c.through < changes.through)
            .values(through=changes.through)
        )
        owner, approvals = connection.execute(select(PROGRESS.c.owner, PROGRESS.c.approvals)).one()
        if owner != self._owner:
            message = "the tables were not loaded" if self._owner == _NEVER else "another broker took the tables over"
            raise StoreError(message, where=self._where, found=f"owner {owner}", expected=f"owner {self._owner}")
        if moved.rowcount == 1 and approvals < changes.approvals:
            connection.execute(PROGRESS.update().values(approvals=changes.approvals))
        return moved.rowcount == 1

    def _among(self, some: Select[str], others: Select[str], now: int) -> list[Lease]:
        """The open leases of these chains."""
        wanted = select(LEASES.c.value).where(LEASES.c.chain.in_(union_all(some, others)), _open(now))
        return self._all(wanted.order_by(LEASES.c.chain), _LEASE)

    def _one(self, wanted: Select[str], decoder: msgspec.json.Decoder[T]) -> T | None:
        return next(iter(self._all(wanted.limit(1), decoder)), None)

    def _all(self, wanted: Select[str], decoder: msgspec.json.Decoder[T]) -> list[T]:
        with self._guarded("reading"), self._engine.connect() as connection:
            return list(_values(connection, wanted, decoder))

    @contextmanager
    def _writing(self, doing: str) -> Iterator[Connection]:
        with self._guarded(doing), self._engine.execution_options(**AT_ONCE).begin() as connection:
            yield connection

    @contextmanager
    def _guarded(self, doing: str) -> Iterator[None]:
        """The database's errors in words of ours: its own could quote a URL with a password, or what was to be kept."""
        try:
            yield
        except (SQLAlchemyError, CommandError, msgspec.MsgspecError, UnicodeError, OSError) as error:
            raise StoreError(
                f"the broker's tables failed while {doing}",
                where=self._where,
                found=_kind(error),
                advice="The journal has everything: the broker goes on when the database is back.",
            ) from None


def _kind(error: BaseException) -> str:
    """What kind of error, by the names that drivers and servers give: SQLSTATE, or the name of SQLite's code."""
    own = getattr(error, "orig", None) or error
    code = getattr(own, "sqlstate", None) or getattr(own, "sqlite_errorname", None)
    return type(own).__name__ + (f" {code}" if code else "")


def _linked(link: str, name: str) -> Select[str]:
    return select(LINKS.c.chain).where(LINKS.c.link == link, LINKS.c.name == name)


def _may_stand(state: str, now: int) -> ColumnElement[bool]:
    """The requests that may stand so at ``now`` (``tables.standing_at``), and few others."""
    kept, undecided = REQUESTS.c.state == state, REQUESTS.c.state.in_(sorted(UNDECIDED))
    if state == RequestState.LAPSED:
        return or_(kept, and_(undecided, REQUESTS.c.until < now))
    return and_(undecided, REQUESTS.c.until >= now) if state in UNDECIDED else kept


def _open(now: int, *also: ColumnElement[bool]) -> ColumnElement[bool]:
    """``tables.is_open`` in SQL, each side of it within reach of an index (``leases_open``, ``leases_held``)."""
    living, ends = LEASES.c.standing.in_(_LIVING), LEASES.c.ends
    expiry = Ending.EXPIRY.value
    killable = [each.value for each in Ending if each is not Ending.EXPIRY]
    return or_(
        and_(*also, living, ends.in_(killable)),
        and_(*also, living, ends == expiry, LEASES.c.not_after > now),
        and_(*also, living, LEASES.c.standing != Standing.LIVE.value, ends == expiry, LEASES.c.not_after <= now),
    )


def _stands(standing: str, now: int) -> ColumnElement[bool]:
    """How a lease stands at ``now`` (``tables.as_of``) in SQL.

    Most leases have ended: they are walked in order until a page is full, so nothing here may call the index for them.
    """
    if standing not in OVER:
        return and_(LEASES.c.standing == standing, _open(now))
    kept = LEASES.c.standing == standing
    lives = LEASES.c.standing.not_in([each.value for each in Standing if each is not Standing.LIVE])
    expired = and_(lives, LEASES.c.ends == Ending.EXPIRY.value, LEASES.c.not_after <= now)
    return or_(kept, expired) if standing == Standing.ENDED else kept


def _values(connection: Connection, wanted: Select[str], decoder: msgspec.json.Decoder[T]) -> Iterator[T]:
    yield from map(decoder.decode, connection.scalars(wanted))
