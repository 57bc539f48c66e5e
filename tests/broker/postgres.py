"""A real PostgreSQL server with a broker's role that is no superuser, and a line to it that can be cut."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

import psycopg

from tests.postgresql import server as servers
from tests.postgresql.server import Server, missing

__all__ = ["BROKER", "GROUP", "ODD", "PASSWORD", "Line", "admin", "cuttable", "missing", "running"]

BROKER = "broker"
PASSWORD = "own-must-not-stay"
GROUP = "readers"
ODD = "odd \"group'; DROP TABLE thing; --"
"""A group that is named as nobody should name one."""

_SETUP = (
    "SET log_statement = none",
    "SET log_min_duration_statement = -1",
    f"CREATE ROLE {BROKER} LOGIN CREATEROLE PASSWORD '{PASSWORD}'",
    f"GRANT pg_signal_backend TO {BROKER}",
    f"CREATE ROLE {GROUP} NOLOGIN",
    f"GRANT {GROUP} TO {BROKER} WITH ADMIN OPTION",
    "CREATE ROLE heir NOLOGIN",
    f"GRANT heir TO {BROKER}",
    'CREATE ROLE "odd ""group\'; DROP TABLE thing; --" NOLOGIN',
    f'GRANT "odd ""group\'; DROP TABLE thing; --" TO {BROKER} WITH ADMIN OPTION',
    "CREATE TABLE thing (a int)",
    f"GRANT SELECT ON thing TO {GROUP}",
    "CREATE SCHEMA scratch",
    f"GRANT USAGE, CREATE ON SCHEMA scratch TO {GROUP}",
    "CREATE DATABASE other",
    "CREATE ROLE bystander LOGIN PASSWORD 'bystander'",
    f"GRANT {GROUP} TO bystander",
)


@contextmanager
def running() -> Iterator[Server]:
    """The server, with the broker's role, its groups, a table and a second database."""
    with servers.running() as server:
        done = server.psql(*_SETUP)
        assert (done.returncode, done.stderr) == (0, "")
        yield server


def admin(server: Server, database: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
    """A superuser's connection."""
    return psycopg.connect(host=str(server.folder), port=server.port, user=server.admin, dbname=database)


class Line:
    """A way to the server through here: it can be cut at COMMIT, before the server hears of it or after."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.cut: Literal["before", "after"] | None = None
        self._threads: list[threading.Thread] = []
        self._start(self._serve)

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, work: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            committing, answered = threading.Event(), threading.Event()
            self._start(self._up, near, far, committing, answered)
            self._start(self._down, near, far, committing, answered)

    def _up(
        self, near: socket.socket, far: socket.socket, committing: threading.Event, answered: threading.Event
    ) -> None:
        """From client to server."""
        with suppress(OSError):
            while data := near.recv(65536):
                if b"COMMIT\0" in data and self.cut is not None:
                    committing.set()
                    if self.cut == "after":
                        far.sendall(data)
                        assert answered.wait(5)
                    break
                far.sendall(data)
        _shut(near, far)

    def _down(
        self, near: socket.socket, far: socket.socket, committing: threading.Event, answered: threading.Event
    ) -> None:
        """From server to client; the answer to a COMMIT that is cut off goes nowhere."""
        with suppress(OSError):
            while data := far.recv(65536):
                if committing.is_set():
                    answered.set()
                else:
                    near.sendall(data)
        if not committing.is_set():
            _shut(near, far)


def _shut(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@contextmanager
def cuttable(server: Server) -> Iterator[Line]:
    """A line to the server."""
    line = Line(server.port)
    try:
        yield line
    finally:
        line.close()
