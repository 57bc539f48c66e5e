"""A real witness under uvicorn, and a real time-stamping authority by OpenSSL, each on a port of this machine."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import uvicorn

from custody.witness.folder import opened
from custody.witness.server import application
from custody.witness.witness import Witness

CONFIG = """
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""
EXTENSIONS = (
    "extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\nbasicConstraints=critical,CA:FALSE\n"
)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The URL of the witness in ``folder``, served until the block ends."""
    cosigner, memory = opened(folder)
    app = application(Witness(cosigner, memory, lambda: int(time.time())))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(5)


def has_openssl() -> bool:
    """Whether OpenSSL is there to be an authority."""
    return shutil.which("openssl") is not None


def make_authority(folder: Path) -> Path:
    """Draw a root and an authority under it; gives the root's PEM file."""
    folder.mkdir()
    (folder / "serial").write_text("01\n")
    (folder / "openssl.cnf").write_text(CONFIG.format(folder=folder))
    (folder / "ext").write_text(EXTENSIONS)
    new = ["req", "-newkey", "rsa:2048", "-nodes"]
    _openssl(folder, *new, "-x509", "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=Root", "-days", "2")
    _openssl(folder, *new, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/O=Example/CN=Time")
    signed = ["-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-extfile", "ext", "-days", "2"]
    _openssl(folder, "x509", "-req", "-in", "tsa.csr", *signed, "-out", "tsa.pem")
    return folder / "root.pem"


def stamp(folder: Path, query: bytes) -> bytes:
    """The authority's answer to a request."""
    (folder / "query").write_bytes(query)
    arguments = ["-queryfile", "query", "-config", "openssl.cnf", "-section", "one", "-out", "reply"]
    _openssl(folder, "ts", "-reply", *arguments)
    return (folder / "reply").read_bytes()


@contextmanager
def stamping(folder: Path) -> Iterator[str]:
    """The URL of the authority in ``folder``, served until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = stamp(folder, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(5)


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)
