"""A real PostgreSQL server to break into: in a folder that goes again, on a free port of this machine, with its log."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from custody.broker.backends.backend import Backend, Held
from custody.broker.glass.file import Contents
from custody.errors import BackendFailed, UsageError
from custody.pipeline.glass.targets import LONGEST, NAME, SCOPE
from custody.settings.broker_file import BackendTable

ADMIN, BROKER, GROUP = "custody", "broker", "operators"
PATIENCE = 10.0
"""Seconds that the server may take to write down what it did."""
_SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
logging_collector = on
log_destination = 'jsonlog'
log_directory = '{folder}/log'
log_filename = 'server.log'
log_connections = on
log_disconnections = on
log_statement = ddl
log_min_duration_statement = 0
log_timezone = 'UTC'
fsync = off
"""
_SETUP = (
    f"CREATE ROLE {BROKER} LOGIN CREATEROLE",
    f"GRANT pg_signal_backend TO {BROKER}",
    f"CREATE ROLE {GROUP} NOLOGIN",
    f"GRANT {GROUP} TO {BROKER} WITH ADMIN OPTION",
)


class PostgresqlTarget:
    """The server, started. The broker comes in by the socket, a credential only with its password over TCP."""

    kind = "postgresql"
    keeps_log = True

    def __init__(self) -> None:
        self._tools = _tools()
        self._owner = _owner()
        self._folder = Path(tempfile.mkdtemp(prefix="custody-drill-"))
        self._port = _free_port()
        self._runs = False
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def table(self) -> BackendTable:
        """See ``targets.Target``."""
        place = {"host": str(self._folder), "port": self._port, "user": BROKER, "sslmode": "disable"}
        options = {**place, "scopes": {SCOPE: [GROUP]}, "tell": {"host": "127.0.0.1"}}
        return BackendTable(name=NAME, kind="postgresql", max_ttl=LONGEST, options=options)

    def take(self, backends: Mapping[str, Backend]) -> None:
        """Nothing: the server is what is asked."""

    def works(self, contents: Contents, held: Held) -> bool:  # noqa: ARG002  # the login is enough
        """Log in by password, and ask who that is."""
        import psycopg

        try:
            with psycopg.connect(
                host=contents.facts["host"],
                port=int(contents.facts["port"]),
                dbname=contents.facts["database"],
                user=contents.secrets["username"].reveal(),
                password=contents.secrets["password"].reveal(),
                sslmode="disable",
                gssencmode="disable",
                connect_timeout=5,
            ) as connection:
                return connection.execute("SELECT current_user").fetchone() is not None
        except psycopg.OperationalError as error:
            if "authentication failed" in str(error):
                return False
            raise BackendFailed("the login could not be tried", reason="unreachable", where=NAME) from None

    def log(self, word: str) -> Path:
        """The server's log in JSON, once ``word`` is in it and its last line is whole."""
        path, until = self._folder / "log" / "server.json", time.monotonic() + PATIENCE
        while time.monotonic() < until:
            found = path.read_bytes() if path.exists() else b""
            if word.encode() in found and found.endswith(b"\n"):
                return path
            time.sleep(0.05)
        raise BackendFailed("the server did not write it down", reason="no-log", where=NAME)

    def close(self) -> None:
        """Stop the server and remove its folder."""
        if self._runs:
            self._runs = False
            self._tool("pg_ctl", "-D", self._data, "-w", "-t", "30", "-m", "immediate", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _start(self) -> None:
        if self._owner is not None:
            os.chown(self._folder, self._owner.pw_uid, self._owner.pw_gid)
        ways = ("--auth-local=trust", "--auth-host=scram-sha-256")
        self._tool("initdb", "-D", self._data, "-U", ADMIN, *ways, "--no-sync", "-E", "UTF8", "--locale=C")
        with Path(self._data, "postgresql.conf").open("a") as settings:
            settings.write(_SETTINGS.format(port=self._port, folder=self._folder))
        self._tool("pg_ctl", "-D", self._data, "-w", "-t", "30", "-l", str(self._folder / "start.txt"), "start")
        self._runs = True
        self._set_up()

    def _set_up(self) -> None:
        import psycopg

        place = {"host": str(self._folder), "port": self._port, "user": ADMIN, "dbname": "postgres"}
        with psycopg.connect(**place, autocommit=True) as connection:  # type: ignore[arg-type]  # names of libpq
            for statement in _SETUP:
                connection.execute(statement)

    def _tool(self, name: str, *options: str) -> None:
        owner = self._owner
        try:
            subprocess.run(  # noqa: S603  # programs of the server that was found, with options of ours
                [str(self._tools / name), *options],
                cwd=self._folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=60,
                check=True,
                user=None if owner is None else owner.pw_uid,
                group=None if owner is None else owner.pw_gid,
                extra_groups=None if owner is None else [],
            )
        except (subprocess.SubprocessError, OSError) as error:
            raise UsageError("PostgreSQL cannot be started here", where=name, found=type(error).__name__) from None


def _tools() -> Path:
    try:
        import psycopg  # noqa: F401  # whether it is there
    except ImportError:
        advice = "pip install custody[broker-postgresql]"
        raise UsageError("PostgreSQL needs psycopg", where="--postgres", advice=advice) from None
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    place = next((each for each in places if (each / "pg_ctl").exists() and (each / "postgres").exists()), None)
    if place is None:
        raise UsageError("no PostgreSQL server is installed here", where="--postgres", expected="initdb and pg_ctl")
    return place


def _owner() -> pwd.struct_passwd | None:
    """As whom the server runs: it does not run as root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        raise UsageError("PostgreSQL does not run as root", where="--postgres", expected="a user postgres") from None


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
