"""PostgreSQL: a throw-away cluster that logs connections and statements as jsonlog and csvlog (version 15 and later).

Settings follow the manual's chapter on error reporting and logging. The server refuses to run as root, so it runs as
the service account that its package makes.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from lab.processes import LOOPBACK, Child, answers, free_port, on_path, run_as

SERVICE_USER = "postgres"
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
logging_collector = on
log_destination = 'jsonlog,csvlog'
log_directory = 'log'
log_filename = 'postgresql'
log_file_mode = 0644
log_timezone = 'UTC'
log_connections = on
log_disconnections = on
log_statement = 'all'
log_line_prefix = '%m [%p] %u@%d '
fsync = off
"""


class PostgreSQL:
    """A cluster with one database, ``shop``, and one administrator, ``vault_admin``."""

    database = "shop"
    administrator = "vault_admin"

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs = programs
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.password = secrets.token_urlsafe(18)
        self._child: Child | None = None

    @property
    def version(self) -> str:
        """The version as the server says it."""
        return run_as(None, [str(self.programs / "postgres"), "--version"], Path("/")).strip()

    def start(self) -> None:
        """Make the cluster and the database, and wait until it takes connections."""
        user = _service_user()
        self.folder.mkdir(parents=True, exist_ok=True)
        secret = self.folder / "password"
        secret.write_text(self.password)
        _give(self.folder, user)
        _give(secret, user)
        run_as(user, [str(self.programs / "initdb"), *self._cluster_options(secret)], self.folder)
        secret.unlink()
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS + f"port = {self.port}\n")
        command = [str(self.programs / "postgres"), "-D", str(self.data)]
        self._child = Child(command, self.folder / "start.log", user=user)
        self._child.wait_until(lambda: answers(self.port), "PostgreSQL")
        self.administer(f"CREATE DATABASE {self.database}", database="postgres")

    def _cluster_options(self, secret: Path) -> list[str]:
        return [
            f"--pgdata={self.data}", f"--username={self.administrator}", f"--pwfile={secret}",
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync",
        ]  # fmt: skip

    def administer(self, *statements: str, database: str | None = None) -> None:
        """Run statements as the administrator; raises RuntimeError when one fails."""
        session = Session(self, self.administrator, self.password, database=database)
        try:
            for statement in statements:
                failed = session.run(statement)
                if failed:
                    raise RuntimeError(failed)
        finally:
            session.close()

    def stop(self) -> None:
        """A fast shutdown: sessions end and are logged."""
        if self._child is not None:
            self._child.stop(signal.SIGINT)

    @property
    def logs(self) -> dict[str, Path]:
        """The logs by the name of their format."""
        return {"jsonlog": self.data / "log/postgresql.json", "csvlog": self.data / "log/postgresql.csv"}


class Session:
    """An open connection: ``psql`` reading statements one by one."""

    def __init__(
        self,
        server: PostgreSQL,
        user: str,
        password: str,
        *,
        database: str | None = None,
        application: str = "laboratory",
    ) -> None:
        self.user = user
        command = [
            str(server.programs / "psql"),
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--no-password",
        ]
        target = ["-h", LOOPBACK, "-p", str(server.port), "-U", user, "-d", database or server.database]
        self._process = subprocess.Popen(
            [*command, *target],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PGPASSWORD": password, "PGAPPNAME": application, "PGSSLMODE": "disable"},
        )
        self.refused = self.run("SELECT 1")
        """The server's words when it let nobody in; empty when the session is open."""

    def run(self, statement: str) -> str:
        """The error that the server gave, or an empty text; a session that is gone says ``connection lost``."""
        return next(
            (line for line in self.ask(statement) if "ERROR:" in line or "FATAL:" in line or "lost" in line), ""
        )

    def ask(self, statement: str) -> list[str]:
        """The lines that came back."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        mark = f"mark-{secrets.token_hex(4)}"
        try:
            self._process.stdin.write(f"{statement};\n\\echo {mark}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return [*self._process.stdout.read().splitlines(), "connection lost"]
        lines: list[str] = []
        while (line := self._process.stdout.readline()) and line.strip() != mark:
            lines.append(line.strip())
        return lines if line else [*lines, "connection lost"]

    def identity(self) -> str:
        """The session id as the server logs it (start second and process id, both hexadecimal)."""
        question = (
            "SELECT to_hex(trunc(extract(epoch FROM backend_start))::bigint) || '.' || to_hex(pid) "
            "FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        )
        return self.ask(question)[0]

    def close(self) -> None:
        """End the session in an orderly way."""
        with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
            self._process.communicate("\\q\n", timeout=10)


def programs() -> Path | None:
    """The folder of the newest installed server; None where there is none that writes jsonlog."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if folders and int(folders[-1].parent.name) >= 15:
        return folders[-1]
    found = on_path("postgres")
    return found.resolve().parent if found else None


def _service_user() -> str | None:
    if os.geteuid() != 0:
        return None
    pwd.getpwnam(SERVICE_USER)
    return SERVICE_USER


def _give(path: Path, user: str | None) -> None:
    if user is not None:
        shutil.chown(path, user, user)
