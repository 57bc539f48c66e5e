"""A PostgreSQL server of its own for a test: in a folder that goes again, on a free port of the loopback address."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
logging_collector = on
log_destination = 'jsonlog,csvlog'
log_directory = '{folder}/log'
log_filename = 'server.log'
log_connections = on
log_disconnections = on
log_statement = ddl
log_min_duration_statement = 0
log_timezone = 'UTC'
fsync = off
"""
OLDEST = 15


class Server:
    """A running server. ``admin`` is its superuser, who is trusted on the socket; others give a password on TCP."""

    admin = "custody"

    def __init__(self, folder: Path, port: int, tools: Path, owner: "pwd.struct_passwd | None") -> None:
        self.folder = folder
        self.port = port
        self._tools = tools
        self._owner = owner

    def tool(self, name: str, *options: str) -> str:
        """Run a program of the server's as the user that it runs as; what it printed."""
        owner = self._owner
        done = subprocess.run(
            [str(self._tools / name), *options],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdout=subprocess.PIPE if name != "pg_ctl" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=True,
            user=None if owner is None else owner.pw_uid,
            group=None if owner is None else owner.pw_gid,
            extra_groups=None if owner is None else [],
        )
        return done.stdout or ""

    def psql(
        self, *statements: str, user: str = admin, password: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Send statements, each by itself, in one session."""
        commands = [word for statement in statements for word in ("-c", statement)]
        return subprocess.run(
            [*self._client(user, password), *commands],
            env=self._environment(password),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def session(self, user: str, password: str) -> "subprocess.Popen[str]":
        """A session that stays open until its input ends."""
        return subprocess.Popen(
            self._client(user, password),
            env=self._environment(password),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )

    def log(self, suffix: str) -> bytes:
        """What the server wrote in one layout."""
        return (self.folder / "log" / f"server.{suffix}").read_bytes()

    def _client(self, user: str, password: str | None) -> list[str]:
        host = str(self.folder) if password is None else "127.0.0.1"
        place = ["-h", host, "-p", str(self.port), "-d", f"dbname=postgres user='{user}'"]
        return [shutil.which("psql") or "psql", "-X", "-q", "-A", "-t", *place]

    def _environment(self, password: str | None) -> dict[str, str]:
        known = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PGAPPNAME": "custody test", "HOME": str(self.folder)}
        return known if password is None else {**known, "PGPASSWORD": password}


def missing() -> str | None:
    """Why no server can be started here, None where one can."""
    tools = _tools()
    if tools is None or shutil.which("psql") is None:
        return "needs initdb, pg_ctl and psql of PostgreSQL on this machine"
    if os.geteuid() == 0 and _owner() is None:
        return "needs a user postgres: the server does not run as root"
    said = subprocess.run([str(tools / "postgres"), "--version"], capture_output=True, text=True, check=True).stdout
    if int(said.split()[2].partition(".")[0]) < OLDEST:
        return f"needs PostgreSQL {OLDEST} or later for jsonlog; found {said.strip()}"
    return None


@contextmanager
def running() -> Iterator[Server]:
    """A server that is stopped and removed at the end. The logs are whole only after ``stop``."""
    tools = _tools()
    assert tools is not None
    folder = Path(tempfile.mkdtemp(prefix="custody-pg-"))
    owner = _owner() if os.geteuid() == 0 else None
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    server = Server(folder, _free_port(), tools, owner)
    try:
        with _started(server):
            yield server
    finally:
        shutil.rmtree(folder)


@contextmanager
def _started(server: Server) -> Iterator[None]:
    data = str(server.folder / "data")
    ways = ("--auth-local=trust", "--auth-host=scram-sha-256")
    server.tool("initdb", "-D", data, "-U", server.admin, *ways, "--no-sync", "-E", "UTF8", "--locale=C")
    with Path(data, "postgresql.conf").open("a") as settings:
        settings.write(SETTINGS.format(port=server.port, folder=server.folder))
    server.tool("pg_ctl", "-D", data, "-w", "-t", "30", "-l", str(server.folder / "start.txt"), "start")
    try:
        yield
    finally:
        server.tool("pg_ctl", "-D", data, "-w", "-t", "30", "-m", "immediate", "stop")


def wait_for(server: Server, suffix: str, words: bytes) -> bytes:
    """The log once ``words`` are in it; the collector writes a moment after the server speaks."""
    for _ in range(100):
        found = server.log(suffix)
        if words in found and found.endswith(b"\n"):
            return found
        time.sleep(0.05)
    raise AssertionError(f"{words!r} never came into the {suffix} log")


def _tools() -> Path | None:
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "pg_ctl").exists() and (place / "postgres").exists()), None)


def _owner() -> "pwd.struct_passwd | None":
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
