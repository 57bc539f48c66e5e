"""A real server on a port: what it does with slow, oversized and malformed requests, TLS, certificates, its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from custody.broker.proof.prover import TOKEN_JWT
from custody.errors import UsageError
from custody.serve.server import listening, tls_context, trust
from custody.serve.token_form import GRANT
from custody.settings.broker_file import BrokerFile, Limits, Tls
from tests.serve.certificates import Pair, drawn, written
from tests.serve.desk import SUBJECT, Script, chain
from tests.serve.running import Lines, parts_of, person, served

LIMITS = Limits(rate=1e6, burst=10**6, slow=0.2, body=64 << 10, intake=1 << 20)
FORM = {"grant_type": GRANT, "subject_token": SUBJECT, "subject_token_type": TOKEN_JWT, "backend": "database"}


class Served(NamedTuple):
    port: int
    desk: Script
    lines: Lines


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that is patient for a fifth of a second."""
    desk = Script()
    parts = parts_of(tmp_path_factory.mktemp("spool"), limits=LIMITS)
    lines = parts.log
    assert isinstance(lines, Lines)
    with served(desk, parts, keep_alive=1) as port:
        yield Served(port, desk, lines)


def sent(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """All that comes back until the server closes; the rest of the parts follow after a pause each."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        try:
            for number, part in enumerate(parts):
                if number:
                    time.sleep(pause)
                connection.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return received(connection)


def received(connection: socket.socket) -> bytes:
    found = b""
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionResetError:
        pass
    return found


def head(*lines: bytes, path: bytes = b"/healthz", method: bytes = b"GET") -> bytes:
    return b"\r\n".join([method + b" " + path + b" HTTP/1.1", b"Host: a", *lines, b"", b""])


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


CLOSE = b"Connection: close"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((head(CLOSE),), 200),
        ((head(b"X: " + b"a" * 33_000),), 431),
        ((head(*[b"X: a"] * 101),), 431),
        ((head(path=b"/" + b"a" * 33_000),), 431),
        ((b"nonsense\r\n\r\n",), 400),
        ((head(b"Content-Length: 1", b"Content-Length: 2", CLOSE),), 400),
        ((head(b"Content-Length: 1", b"Transfer-Encoding: chunked", CLOSE),), 400),
        ((head(b"X : a", CLOSE),), 400),
        ((head(b"Host: b\r\n folded", CLOSE),), 400),
        ((b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",), 400),
        ((head(b"Content-Length: 70000", method=b"POST", path=b"/token"),), 413),
        ((head(b"Content-Length: 999999999", method=b"POST", path=b"/leases/x/revoke"),), 413),
        (
            (
                head(b"Transfer-Encoding: chunked", method=b"POST", path=b"/token"),
                b"11170\r\n" + b"a" * 70000 + b"\r\n0\r\n\r\n",
            ),
            413,
        ),
        ((head(b"Upgrade: websocket", b"Connection: Upgrade, close", b"Sec-WebSocket-Key: x"),), 200),
    ],
)
def test_requests_that_are_malformed_or_too_large(server: Served, parts: tuple[bytes, ...], expected: int) -> None:
    assert status(sent(server.port, *parts)) == expected


def test_a_head_that_does_not_end_is_dropped(server: Served) -> None:
    begun = time.monotonic()

    assert sent(server.port, b"GET /healthz HTTP/1.1\r\nX: ", *[b"a"] * 4, pause=0.08) == b""
    assert sent(server.port) == b""
    assert time.monotonic() - begun < 3


def test_a_second_head_that_does_not_end_is_dropped_too(server: Served) -> None:
    answer = sent(server.port, head(), b"GET /heal", *[b"a"] * 4, pause=0.08)

    assert answer.count(b"HTTP/1.1 200") == 1


def test_a_body_that_does_not_come_is_refused_in_time(server: Served) -> None:
    begin = head(
        b"Content-Length: 10", b"Content-Type: application/x-www-form-urlencoded", method=b"POST", path=b"/token"
    )
    answer = sent(server.port, begin, *[b"a"] * 4, pause=0.08)

    assert status(answer) == 408
    assert b'"reason":"too-slow"' in answer
    assert b"connection: close" in answer


def test_a_pushed_log_that_does_not_come_is_refused_in_time(server: Served) -> None:
    push = head(
        b"Content-Length: 10",
        b"Content-Type: application/x-ndjson",
        b"Authorization: Bearer must-not-stay-push",
        method=b"POST",
        path=b"/intake/cluster",
    )

    assert status(sent(server.port, push)) == 408


def test_who_goes_away_before_the_end_is_not_answered(server: Served) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head(b"Content-Length: 10", method=b"POST", path=b"/token") + b"a")
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline and server.lines.last().get("status") != 499:
        time.sleep(0.01)

    assert server.lines.last()["status"] == 499


def test_headers_cannot_be_brought_into_the_answer(server: Served) -> None:
    trace = b"traceparent: 00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01\tx"
    path = b"/leases?identity=a%0d%0aSet-Cookie:%20x&limit=1"
    key = f"Authorization: {person('auditor')['Authorization']}".encode()
    answer = sent(server.port, head(CLOSE, trace, key, path=path)).partition(b"\r\n\r\n")[0]

    assert status(answer) == 200
    assert b"set-cookie" not in answer.lower().replace(b"%20", b" ").partition(b"link:")[0]
    assert b"\r\nset-cookie" not in answer.lower()
    assert b"\tx" not in answer


@pytest.mark.parametrize("name", [b"Authorization: Bearer must-not-stay-admin", b"Idempotency-Key: a"])
def test_a_header_that_counts_comes_once(server: Served, name: bytes) -> None:
    token = b"Authorization: Bearer " + SUBJECT.encode()
    first = [] if name.startswith(b"Auth") else [token]
    path = f"/leases/{chain(1)}/complete".encode()
    answer = sent(server.port, head(CLOSE, *first, name, name, b"Content-Length: 0", method=b"POST", path=path))

    assert status(answer) in (400, 401)
    assert b'"malformed"' in answer or b'"idempotency-key"' in answer


def test_requests_of_one_connection_are_answered_in_order(server: Served) -> None:
    answer = sent(server.port, head() + head(path=b"/nothing") + head(CLOSE, path=b"/readyz"))

    assert [status(each) for each in answer.split(b"HTTP/1.1")[1:]] == [200, 404, 200]


def test_a_head_over_its_limits_behind_another_request_says_nothing_in_between(server: Served) -> None:
    answer = sent(server.port, head() + head(b"X: " + b"a" * 33_000))

    assert [status(each) for each in answer.split(b"HTTP/1.1")[1:]] in ([], [200], [200, 431])


def test_one_origin_does_not_get_all_connections(tmp_path: Path) -> None:
    with served(Script(), parts_of(tmp_path), most=8) as port:
        held = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(2)]
        with socket.create_connection(("127.0.0.1", port), timeout=5) as third:
            assert received(third) == b""
        for each in held:
            each.sendall(head(CLOSE))
            assert status(received(each)) == 200
            each.close()
        assert status(sent(port, head(CLOSE))) == 200


class Secured(NamedTuple):
    port: int
    desk: Script
    folder: Path
    intermediate: Pair


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A server with TLS that takes certificates of one authority, which is no root."""
    folder = tmp_path_factory.mktemp("tls")
    root = drawn("root", authority=True)
    bundle = drawn("bundle", root, authority=True)
    intermediate = drawn("intermediate", bundle, authority=True)
    (folder / "root.pem").write_bytes(root.pem())
    written(folder, "server", drawn("server", root))
    tls = Tls(certificate="server.pem", key="server.key")
    file = BrokerFile(broker="b", issuer="https://b.example", folder=str(folder), tls=tls)
    written(folder, "workload", drawn("w", intermediate, uri="spiffe://lab.example/shop"), intermediate)
    written(folder, "stranger", drawn("s", drawn("other", authority=True), uri="spiffe://lab.example/shop"))
    desk = Script()
    context = tls_context(file, tls)
    trust(context, [bundle.der()])
    with served(desk, parts_of(folder, limits=LIMITS), context) as port:
        yield Secured(port, desk, folder, intermediate)


def caller(secured: Secured, certificate: str | None) -> httpx.Client:
    context = ssl.create_default_context(cafile=str(secured.folder / "root.pem"))
    context.check_hostname = False
    if certificate:
        context.load_cert_chain(secured.folder / f"{certificate}.pem", secured.folder / f"{certificate}.key")
    return httpx.Client(base_url=f"https://127.0.0.1:{secured.port}", verify=context)


def test_a_certificate_proves_the_workload_with_all_of_its_chain(secured: Secured) -> None:
    form = {"grant_type": GRANT, "backend": "database"}
    with caller(secured, "workload") as client:
        answer = client.post("/token", data=form, headers={"X-Forwarded-Client-Cert": "must-not-stay"})
        again = client.post(f"/leases/{chain(1)}/complete")

    assert (answer.status_code, again.status_code) == (200, 200)
    assert "max-age" in answer.headers["strict-transport-security"]
    shown = secured.desk.callers[-1].presented
    leaf = ssl.PEM_cert_to_DER_cert((secured.folder / "workload.pem").read_text().partition("-----END")[0] + END)
    assert (shown.type, shown.token) == ("", b"")
    assert shown.certificate[:2] == (leaf, secured.intermediate.der())
    assert secured.desk.callers[-2].presented.certificate == shown.certificate


END = "-----END CERTIFICATE-----\n"


def test_a_token_counts_before_the_certificate(secured: Secured) -> None:
    with caller(secured, "workload") as client:
        client.post("/token", data=FORM)

    presented = secured.desk.callers[-1].presented
    assert presented.token
    assert presented.certificate, "a token may be bound to the certificate (RFC 8705)"


def test_without_a_certificate_there_is_none_whatever_a_header_says(secured: Secured) -> None:
    with caller(secured, None) as client:
        answer = client.post(
            "/token", data={"grant_type": GRANT, "backend": "x"}, headers={"X-SSL-Client-Cert": "must-not-stay"}
        )

    assert (answer.status_code, answer.json()["reason"]) == (400, "malformed-subject-token")


def test_a_certificate_of_another_authority_ends_the_handshake(secured: Secured) -> None:
    with caller(secured, "stranger") as client, pytest.raises(httpx.TransportError):
        client.get("/healthz")


@pytest.mark.parametrize("listen", ["8440", "a:b", "a:99999", ":8440", "a:٣"])
def test_where_to_listen_is_an_address(listen: str) -> None:
    with pytest.raises(UsageError):
        listening(BrokerFile(broker="b", issuer="i", listen=listen))


def test_where_to_listen_is_read_from_the_file(tmp_path: Path) -> None:
    found = listening(BrokerFile(broker="b", issuer="i", listen="[::1]:8440"))

    assert (found.host, found.port, found.tls) == ("::1", 8440, None)
    tls = Tls(certificate="none.pem", key="none.key")
    with pytest.raises(UsageError, match="TLS"):
        listening(BrokerFile(broker="b", issuer="i", tls=tls, folder=str(tmp_path)))


PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from custody.serve.app import build
from custody.serve.lines import Journalist, Sink
from custody.serve.server import Listening, run
from tests.serve.desk import Script
from tests.serve.running import PATIENT, parts_of

class Slow(Script):
    async def exchange(self, caller, intent):
        sys.stdout.write("asked\\n"); sys.stdout.flush()
        await asyncio.sleep(0.25)
        return await super().exchange(caller, intent)

sink = Sink(sys.stderr.buffer)
parts = parts_of(Path("."), log=sink)
listen = Listening(host="127.0.0.1", port=int(sys.argv[1]), limits=PATIENT)
run(build(Slow(), parts), listen, Journalist(parts.clock, sink))
sink.flush()
print("ended")
"""


def test_a_signal_lets_what_is_under_way_end(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(port)],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        with waited(port) as connection:
            body = httpx.Request("POST", "http://a/token", data=FORM).read()
            connection.sendall(
                head(
                    b"Content-Type: application/x-www-form-urlencoded",
                    b"Content-Length: %d" % len(body),
                    method=b"POST",
                    path=b"/token",
                )
                + body
            )
            assert process.stdout is not None
            assert process.stdout.readline() == "asked\n"
            process.send_signal(signal.SIGTERM)
            answer = received(connection)
        out, log = process.communicate(timeout=10)

    assert status(answer) == 200
    assert (out, process.returncode) == ("ended\n", 0)
    assert json.loads(log.splitlines()[-1])["route"] == "/token"
    assert "must-not-stay" not in log


def waited(port: int) -> socket.socket:
    """A connection, as soon as the server takes one."""
    deadline = time.monotonic() + 15
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
