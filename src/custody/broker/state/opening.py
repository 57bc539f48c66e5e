"""From the URL of a database to a way in: SQLite in a file for its owner alone, or PostgreSQL with bounds on waiting.

Transactions on SQLite are begun here, not by Python's module, which leaves DDL outside of them: a migration that is cut
off leaves nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from sqlite3 import Connection as SqliteConnection

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from custody.broker.backends.backend import Secret
from custody.errors import StoreError, UsageError

WAIT = 10
"""Seconds to wait for another transaction, or for the server to take a connection."""
STATEMENT = 60
"""Seconds that a statement may run on a server."""
IDLE = 5
"""Seconds after which a server ends a transaction whose broker went silent: another one may be waiting to take over."""

AT_ONCE = {"begin": "BEGIN IMMEDIATE"}
"""Execution options of a transaction that is to write from its start, on SQLite."""

DRIVERS = {"sqlite": "pysqlite", "postgresql": "psycopg"}


SECRETS = ("password", "sslpassword")
"""Parameters of a URL that are secrets."""


def opened(url: str, password: Callable[[], Secret] | None = None) -> tuple[str, Engine]:
    """What to call the database in messages, without any password, and its engine; nothing is connected yet.

    The ``password`` is asked for at each connection. UsageError where the URL cannot be used, StoreError where the file
    cannot be made.
    """
    try:
        parsed = _checked(make_url(url))
        if password is not None and parsed.get_backend_name() == "sqlite":
            raise UsageError("a password for a file", where="state_password", expected="state with a PostgreSQL URL")
        engine = _postgresql(parsed, password) if parsed.get_backend_name() == "postgresql" else _sqlite(parsed)
    except ImportError as error:
        advice = "Install it with: pip install 'custody[broker-postgresql]'"
        raise UsageError(
            "the driver of the database is not installed", where="state", found=str(error.name), advice=advice
        ) from None
    except (ArgumentError, ValueError) as error:  # their own words can quote the password
        raise UsageError(
            "not a database URL",
            where="state",
            found=type(error).__name__,
            expected="sqlite:///PATH or postgresql+psycopg://USER@HOST/DATABASE",
        ) from None
    return _where(parsed), engine


def _checked(url: URL) -> URL:
    name, _, driver = url.drivername.partition("+")
    if name not in DRIVERS or driver not in ("", DRIVERS[name]):
        known = " or ".join(f"{each}+{DRIVERS[each]}" for each in DRIVERS)
        raise UsageError("a database that is not known", where="state", found=url.drivername[:40], expected=known)
    if "@" in (url.host or ""):
        raise UsageError("a password in a URL is percent-encoded", where="state", advice="Write @ as %40.")
    if url.password is not None or any(each in url.query for each in SECRETS):
        raise UsageError(
            "a password stands in the URL",
            where="state",
            found="a password, not shown",
            expected="a URL without one",
            advice='Name where it is: state_password = "env:NAME" or "file:PATH"; or use a password file of libpq.',
        )
    if name == "sqlite" and (url.query or url.host or url.database in (None, "", ":memory:")):
        raise UsageError("the broker's state is kept in a file", where="state", expected="sqlite:///PATH alone")
    return url.set(drivername=f"{name}+{DRIVERS[name]}")


def _where(url: URL) -> str:
    """The URL without its password, and without its query, which may hold another one."""
    return url.set(query={}).render_as_string(hide_password=True)


def _postgresql(url: URL, password: Callable[[], Secret] | None) -> Engine:
    given = {
        "connect_timeout": str(WAIT),
        "application_name": "custody broker",
        "options": f"-c lock_timeout={WAIT}s -c statement_timeout={STATEMENT}s"
        f" -c idle_in_transaction_session_timeout={IDLE}s",
    }
    left = {name: value for name, value in given.items() if name not in url.query}
    engine = create_engine(url, pool_pre_ping=True, pool_size=4, connect_args=left, hide_parameters=True)
    if password is not None:

        def ask(_dialect: object, _record: object, _given: object, parameters: dict[str, object]) -> None:
            parameters["password"] = password().reveal()

        event.listen(engine, "do_connect", ask)
    return engine


def _sqlite(url: URL) -> Engine:
    _own_file(Path(url.database or ""))
    connect = {"timeout": float(WAIT), "check_same_thread": False}
    engine = create_engine(url, connect_args=connect, hide_parameters=True)
    event.listen(engine, "connect", _tuned)
    event.listen(engine, "begin", _begun)
    return engine


def _own_file(path: Path) -> None:
    """The file, made for its owner alone; the files that SQLite puts beside it take its mode."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_mode & 0o077:
                os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreError("the broker's tables cannot be made", where=str(path), found=str(error.strerror)) from None


def _tuned(connection: SqliteConnection, _: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "wal_autocheckpoint=4000"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begun(connection: Connection) -> None:
    connection.exec_driver_sql(str(connection.get_execution_options().get("begin", "BEGIN")))
