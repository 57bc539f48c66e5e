"""A broker as people run it: ``custody serve`` in a process of its own, on files in a folder, asked over HTTP."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec

from tests.broker.issuer import Issuer
from tests.broker.postgres import BROKER, GROUP, PASSWORD
from tests.postgresql.server import Server

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"

FILE = """
broker = "trial"
issuer = "{url}"
environment = "production"
listen = "127.0.0.1:{port}"
policies = "policies"
seal_every = 0.2
derive_every = 0

[[identities]]
method = "oidc"
issuer = "{issuer}"
audience = "custody"
algorithms = ["ES256"]
private = true
authority = "{authority}"

[people]
issuer = "{issuer}"
audience = "people"
algorithms = ["ES256"]
private = true
authority = "{authority}"
roles = {{ operator = ["on-call"], approver = ["release-managers"], auditor = ["audit"] }}

[[backends]]
name = "tokens"
kind = "jwt"
max_ttl = 900
options = {{ audiences = ["reports"], scopes = ["read"] }}

[[backends]]
name = "orders"
kind = "postgresql"
max_ttl = 3600

[backends.options]
host = "127.0.0.1"
port = {database}
database = "postgres"
user = "{user}"
password = "env:BROKER_DB_PASSWORD"
sslmode = "disable"
scopes = {{ read = ["{group}"] }}

[approvals]
groups = {{ release-managers = ["person:ssh:anna@example.com", "person:ssh:bert@example.com"] }}

[[intake]]
name = "vault"
token_sha256 = "{pushing}"
"""

POLICIES = """
@id("tokens")
permit (principal in Identity::"payments-deploy", action in Action::"Obtain", resource == Backend::"tokens");

@id("orders/approved")
@approval("1 of release-managers within 15m")
@max_ttl("10m")
permit (principal in Identity::"payments-deploy", action in Action::"Obtain", resource == Backend::"orders")
when { context has ticket };
"""

REGISTER = """
version: 1
register: trial
identities:
  payments-deploy:
    kind: workload
    names: ["{name}"]
    owner: team:payments
    purpose: deploys the payment service
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class BrokerProcess:
    """One folder with a broker's files; ``start`` and ``kill`` the process on it."""

    def __init__(self, folder: Path, issuer: Issuer, database: Server, *, pushing: str = "0" * 64) -> None:
        self.folder, self.issuer = folder, issuer
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {**os.environ, "BROKER_DB_PASSWORD": PASSWORD, "CUSTODY_JOBS": "1"}
        self.process: subprocess.Popen[bytes] | None = None
        self._write(database, pushing)

    def _write(self, database: Server, pushing: str) -> None:
        (self.folder / "policies").mkdir(parents=True)
        (self.folder / "policies" / "trial.cedar").write_text(POLICIES)
        text = FILE.format(
            url=self.url,
            port=self.port,
            issuer=self.issuer.url,
            authority=self.issuer.authority,
            database=database.port,
            user=BROKER,
            group=GROUP,
            pushing=pushing,
        )
        (self.folder / "broker.toml").write_text(text)
        name = f"oidc_subject:localhost%3A{self.issuer.port}:workload"
        (self.folder / "register.yaml").write_text(REGISTER.format(name=name))
        (self.folder / "custody.toml").write_text('store = "store"\nkeys = "keys"\napproval_keys = "approval-keys"\n')

    def custody(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run a command of the command line in the folder."""
        command = [sys.executable, "-m", "custody.cli", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, timeout=60, check=False
        )

    def start(self, *, wait: bool = True) -> subprocess.Popen[bytes]:
        """Start it, and wait until it issues."""
        with (self.folder / "broker.log").open("ab") as log:
            command = [sys.executable, "-m", "custody.cli", "serve", "broker.toml"]
            self.process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)
        if wait:
            self.ready()
        return self.process

    def ready(self) -> None:
        """Wait until it issues."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                if httpx.get(f"{self.url}/readyz", trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert self.process is None or self.process.poll() is None, self.log()[-2000:]
            time.sleep(0.05)
        raise AssertionError(self.log()[-2000:])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the process and give its code."""
        assert self.process is not None
        self.process.send_signal(how)
        code = self.process.wait(30)
        self.process = None
        return code

    def log(self) -> str:
        """What it wrote."""
        return (self.folder / "broker.log").read_text()

    def token(self, **said: object) -> str:
        """A token of the workload."""
        return self.issuer.token(int(time.time()), **said).decode()  # type: ignore[arg-type]

    def person(self, name: str, *groups: str) -> dict[str, str]:
        """The header of somebody who signed in."""
        token = self.token(aud="people", sub=name, groups=list(groups))
        return {"Authorization": f"Bearer {token}"}

    def ask(self, **form: str) -> httpx.Response:
        """Ask for a credential."""
        body = {"grant_type": GRANT, "subject_token": self.token(), "subject_token_type": JWT, **form}
        return httpx.post(f"{self.url}/token", data=body, trust_env=False, timeout=20)


@contextmanager
def broker_in(folder: Path, issuer: Issuer, database: Server, **more: str) -> Iterator[BrokerProcess]:
    """A broker's files, its register sealed, the process started."""
    one = BrokerProcess(folder, issuer, database, **more)
    done = one.custody("register", "import", "register.yaml", "--no-judge", "--json")
    assert done.returncode == 0, done.stderr.decode()
    one.start()
    try:
        yield one
    finally:
        if one.process is not None:
            one.process.kill()
            one.process.wait()
        shutil.rmtree(folder / "store-broker" / "spool", ignore_errors=True)


def decoded(raw: bytes) -> dict[str, object]:
    """A JSON object."""
    return msgspec.json.decode(raw, type=dict[str, object])
