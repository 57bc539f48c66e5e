"""Vault beside the broker: token creation with a file audit device, by the client and the loads of ``bench/broker.py``.

The laboratory's Vault (or an installed ``bao``; OpenBao itself could not be fetched, see docs/laboratory.md) makes
service tokens of one policy and five minutes for a caller whose policies it checks. One process, plain HTTP on
loopback.

What is alike: a request over a kept connection, an authorisation, a record of request and answer, a credential. What
is not, and in whose favour:

- The broker's answer waits until both of its lines are on the disk (``fdatasync``). Vault writes two lines to its audit
  file before it answers and does not sync them (seen in its system calls, 1.21.1): they survive the end of the process,
  and not that of the machine.
- Vault keeps each token and its lease in its storage, so that the token can be looked up and revoked: several writes
  that the broker's signed tokens do not need. ``inmem`` keeps them in memory (nothing is durable then, and nothing
  waits for the disk: its best case); ``raft``, its integrated storage and the one that is meant for use, syncs each
  write: with one client 16 times a token, where the broker syncs twice.
- The broker verifies a signed token of an outside issuer, looks into the register and decides by Cedar policies, then
  signs. Vault looks its own caller's token up and matches a path in its ACL, which is less.
- The broker hashes each line to the one before and seals all of it into a Merkle tree in a second process, whose time
  is in ``cpu_us``. Vault's audit lines have an HMAC of each sensitive value; nothing ties one line to another.
- Vault is compiled and uses both processors; the broker's requests run on one.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from lab import builds, web
from lab.processes import LOOPBACK, Child, answers, free_port

STORAGES = ("inmem", "raft")
POLICIES = {
    "issuer": 'path "auth/token/create" { capabilities = ["update"] }',
    "reports": 'path "reports/*" { capabilities = ["read"] }',
}


def program() -> Path | str:
    """The program, or why there is none; nothing is built here."""
    found = shutil.which("bao") or builds.cache() / "vault"
    return Path(found) if Path(found).exists() else f"{found} is not there: `make lab` builds it"


@contextmanager
def serving(binary: Path, folder: Path, storage: str) -> Iterator[tuple[int, int, bytes]]:
    """An unsealed server with one file audit device: its process, its port, and the bytes of one request."""
    port = free_port()
    (folder / "data").mkdir()
    (folder / "server.json").write_text(json.dumps(_settings(folder, port, storage)))
    child = Child([str(binary), "server", f"-config={folder / 'server.json'}"], folder / "server.log")
    try:
        child.wait_until(lambda: answers(port), "Vault")
        keys = _must(port, "POST", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        shares, root = keys.at("keys"), keys.text("root_token")
        assert isinstance(shares, list)
        _must(port, "POST", "sys/unseal", {"key": shares[0]})
        child.wait_until(lambda: web.call(port, "GET", "/v1/sys/health").status == 200, "the unsealed Vault")
        yield child.process.pid, port, _request(port, _caller(port, root, folder))
    finally:
        child.stop()


def _settings(folder: Path, port: int, storage: str) -> dict[str, object]:
    kept = {"inmem": {}, "raft": {"path": str(folder / "data"), "node_id": "one"}}
    return {
        "storage": {storage: kept[storage]},
        "listener": {"tcp": {"address": f"{LOOPBACK}:{port}", "tls_disable": True}},
        "api_addr": f"http://{LOOPBACK}:{port}",
        "cluster_addr": f"http://{LOOPBACK}:{free_port()}",
        "disable_mlock": True,
        "log_level": "warn",
    }


def _caller(port: int, root: str, folder: Path) -> str:
    """Set up as a caller finds it, and give the caller's token: it may make tokens of the policies that it has."""
    _must(port, "PUT", "sys/audit/file", {"type": "file", "options": {"file_path": str(folder / "audit.log")}}, root)
    for name, policy in POLICIES.items():
        _must(port, "PUT", f"sys/policies/acl/{name}", {"policy": policy}, root)
    made = {"policies": list(POLICIES), "ttl": "1h", "no_parent": True}
    return _must(port, "POST", "auth/token/create", made, root).text("auth", "client_token")


def _request(port: int, token: str) -> bytes:
    """The bytes of one request, head and body."""
    body = json.dumps({"policies": ["reports"], "ttl": "5m"}).encode()
    head = (
        f"POST /v1/auth/token/create HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nX-Vault-Token: {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _must(port: int, method: str, path: str, body: dict[str, object], token: str = "") -> web.Answer:
    answer = web.call(port, method, f"/v1/{path}", body, headers={"X-Vault-Token": token} if token else None)
    if answer.status >= 400:
        raise SystemExit(f"{method} {path}: {answer.status} {answer.body}")
    return answer
