"""``custody approvals serve`` on a real port: whoever only holds connections keeps no approver out."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec
import pytest

from custody.errors import UsageError
from custody.serve.approving.serving import MOST, listening, serve
from custody.settings.broker_file import Approvals, Tls
from tests.broker.approvals.requests import Estate, identifier, request
from tests.end_to_end.conftest import settings_for
from tests.serve.approving.test_composition import AUDIENCE, ISSUER, file_in, token
from tests.serve.test_server import received

FILE = """
broker = "tunnel"
issuer = "https://tunnel.example.com"
[approvals]
address = "127.0.0.1:{port}"
[people]
issuer = "{issuer}"
audience = "{audience}"
jwks = "jwks.json"
roles = {{ approver = ["releasers"] }}
[limits]
slow = 0.25
"""
BODY = request(request=identifier(1, time.time_ns() // 1000))
DECISION = {"verdict": "deny", "reason": "not today", "digest": BODY.digest}


class Served(NamedTuple):
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def call(self, origin: str = "127.0.0.1") -> httpx.Client:
        """A client at an address of this machine."""
        headers = {"Authorization": f"Bearer {token()}"}
        carrier = httpx.HTTPTransport(local_address=origin)
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, transport=carrier)

    def silent(self, number: int, sends: bytes = b"") -> list[socket.socket]:
        """Connections that say no more than this."""
        held = [socket.create_connection(("127.0.0.1", self.port), timeout=5) for _ in range(number)]
        for each in held:
            with suppress(OSError):  # one more than an origin may have
                each.sendall(sends)
        return held


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The process itself, from the command line."""
    folder = tmp_path_factory.mktemp("approvals")
    estate = Estate(folder)
    estate.seal([BODY])
    file_in(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    (folder / "broker.toml").write_text(FILE.format(port=port, issuer=ISSUER, audience=AUDIENCE))
    places = ("--store", str(estate.root), "--approval-keys", str(estate.approver))
    words = [sys.executable, "-m", "custody.cli", "approvals", "serve", "--broker-file", "broker.toml", *places]
    log = folder / "log"
    with log.open("wb") as told, subprocess.Popen(words, cwd=folder, stderr=told, env=dict(os.environ)) as process:
        waited(port, process)
        yield Served(port, process, log)
        process.kill()


def waited(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)


def closed(connection: socket.socket) -> bool:
    """Whether the other side closed it, having said nothing."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("sends", [b"", b"GET /requests HTTP/1.1\r\nX: "], ids=["silent", "begun"])
def test_connections_that_are_only_held_keep_nobody_out(served: Served, sends: bytes) -> None:
    """One origin gets a quarter of them, and no one for longer than its patience: the others come in meanwhile."""
    with ExitStack() as stack:
        held = [stack.enter_context(each) for each in served.silent(MOST // 4 + 16, sends)]
        elsewhere = stack.enter_context(served.call("127.0.0.2"))
        assert elsewhere.get("/requests").status_code == 200
        assert all(closed(each) for each in held)
        assert stack.enter_context(served.call()).get("/requests").status_code == 200


def test_a_body_that_does_not_come_is_refused_in_time(served: Served) -> None:
    head = b"POST /requests/rq-1/decisions HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"
    with ExitStack() as stack:
        held = [stack.enter_context(each) for each in served.silent(MOST // 4, head)]
        elsewhere = stack.enter_context(served.call("127.0.0.2"))
        assert elsewhere.get(f"/requests/{BODY.request}").json()["digest"] == BODY.digest
        assert {received(each).split(b" ", 2)[1] for each in held} == {b"408"}
        assert stack.enter_context(served.call()).get("/requests").status_code == 200


def test_a_head_without_end_is_refused(served: Served) -> None:
    with served.call() as client:
        assert client.get("/requests", headers={"X": "a" * 33_000}).status_code == 431


def test_it_decides_and_stops_in_order(served: Served) -> None:
    """The last of this module: a decision is sealed, then a signal ends the process without a trace of the token."""
    with served.call() as client:
        decided = client.post(f"/requests/{BODY.request}/decisions", json=DECISION)
    served.process.send_signal(signal.SIGTERM)

    assert (decided.status_code, decided.json()["approver"]) == (201, "person:login.example.com:ann")
    assert served.process.wait(15) == 0
    assert b"eyJ" not in served.log.read_bytes()


def test_an_address_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UsageError, match="cannot be listened on") as caught:
            serve(settings_for(tmp_path), file_in(tmp_path, approvals=Approvals(address=address)), {})

    assert address in str(caught.value)


def test_it_listens_elsewhere_with_a_certificate_alone(tmp_path: Path) -> None:
    file = file_in(tmp_path, approvals=Approvals(address="0.0.0.0:8441"))
    with pytest.raises(UsageError, match="in the clear"):
        listening(file)
    with pytest.raises(UsageError, match="the files of TLS"):
        listening(msgspec.structs.replace(file, tls=Tls(certificate="none.pem", key="none.key")))
