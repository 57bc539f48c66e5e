"""The tables of every kind: in memory, in a file, and on a server that is started once."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from custody.broker.state.database import DatabaseTables
from custody.broker.state.tables import MemoryTables, Tables
from tests.postgresql import server as servers
from tests.postgresql.server import Server

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def state_server() -> Iterator[Server]:
    why = servers.missing()
    if why is not None:
        pytest.skip(why)
    with servers.running() as server:
        yield server


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of the kind that the test names (``KINDS``)."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'broker' / 'state.db'}"
    return empty(request.getfixturevalue("state_server"))


def empty(server: Server) -> str:
    """The URL of the server's database, with nothing in it."""
    done = server.psql("SET client_min_messages = error", "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    assert done.returncode == 0, done.stderr
    return f"postgresql+psycopg://{server.admin}@/postgres?host={server.folder}&port={server.port}"


@pytest.fixture
def opened() -> Iterator[Callable[..., DatabaseTables]]:
    """Opens tables that are closed at the end."""
    with ExitStack() as stack:

        def open_(url: str, broker: str = "") -> DatabaseTables:
            tables = DatabaseTables(url, broker=broker)
            stack.callback(tables.close)
            return tables

        yield open_


@pytest.fixture(params=["memory", *KINDS])
def tables(request: pytest.FixtureRequest, tmp_path: Path, opened: Callable[..., DatabaseTables]) -> Tables:
    """Tables that are loaded, so that this is the broker that may save."""
    if request.param == "memory":
        return MemoryTables()
    if request.param == "sqlite":
        found = opened(f"sqlite:///{tmp_path / 'state.db'}")
    else:
        found = opened(empty(request.getfixturevalue("state_server")))
    found.load(0)
    return found
