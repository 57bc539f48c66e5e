"""OpenBao or Vault, whichever binary is had: one server in memory, two file audit devices, the log as JSON.

Both write the same audit lines. The first device keeps the defaults (accessors hashed), the second writes accessors
plainly (``hmac_accessor=false``); their salts differ. The server log is kept because the expiry of leases is told
nowhere else.
"""

import hashlib
import json
import time
from pathlib import Path

from lab import web
from lab.processes import LOOPBACK, Child, answers, free_port

AUDITED_HEADERS = ("X-Correlation-Id", "Traceparent", "X-Ticket")


class Vault:
    """One unsealed server. ``root`` is the root token of its initialisation."""

    def __init__(self, program: Path, folder: Path, *, plugins: Path | None = None) -> None:
        self.program = program
        self.folder = folder
        self.plugins = plugins
        self.port = free_port()
        self.root = ""
        self.root_calls = 0
        """Accepted requests of ``must`` that the first audit device has a line of, the one that made it included."""
        self._audited = False
        self._child: Child | None = None

    @property
    def version(self) -> str:
        """The version as the server says it, without a leading v."""
        return web.call(self.port, "GET", "/v1/sys/health").text("version")

    def start(self) -> None:
        """Start, initialise with one key share, unseal, switch the audit devices on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "server.json"
        configuration.write_text(json.dumps(self._configuration(), indent=1))
        self._child = Child([str(self.program), "server", f"-config={configuration}"], self.folder / "server.log")
        self._child.wait_until(lambda: answers(self.port), "the secrets server")
        keys = web.call(self.port, "POST", "/v1/sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self.root = keys.text("root_token")
        shares = keys.at("keys")
        assert isinstance(shares, list)
        web.call(self.port, "POST", "/v1/sys/unseal", {"key": shares[0]})
        self._child.wait_until(self._active, "the unsealed secrets server")
        self._switch_on_audit()

    def _configuration(self) -> web.Json:
        configuration: web.Json = {
            "storage": {"inmem": {}},
            "listener": {"tcp": {"address": f"{LOOPBACK}:{self.port}", "tls_disable": True}},
            "api_addr": f"http://{LOOPBACK}:{self.port}",
            "disable_mlock": True,
            "log_format": "json",
            "log_level": "info",
        }
        if self.plugins is not None:
            configuration["plugin_directory"] = str(self.plugins)
        return configuration

    def _active(self) -> bool:
        return web.call(self.port, "GET", "/v1/sys/health").status == 200

    def _switch_on_audit(self) -> None:
        for device, plain in (("first", False), ("second", True)):
            options = {"file_path": str(self.folder / f"audit-{device}.log"), "hmac_accessor": str(not plain).lower()}
            self.must("PUT", f"sys/audit/{device}", {"type": "file", "options": options})
        for header in AUDITED_HEADERS:
            self.must("POST", f"sys/config/auditing/request-headers/{header}", {"hmac": False})

    def call(self, token: str, method: str, path: str, body: web.Json | None = None, **headers: str) -> web.Answer:
        """One request with a token (an empty one sends none); ``X_Ticket="…"`` becomes the header ``X-Ticket``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"X-Vault-Token": token, **named} if token else named
        return web.call(self.port, method, f"/v1/{path}", body, headers=sent)

    def must(self, method: str, path: str, body: web.Json | None = None) -> web.Answer:
        """One request with the root token; raises RuntimeError where the server refuses it."""
        answer = self.call(self.root, method, path, body)
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.body.get('errors')}")
        self._audited = self._audited or path == "sys/audit/first"
        self.root_calls += self._audited
        return answer

    def hashed(self, value: str, device: str = "first") -> str:
        """What the audit device writes in place of ``value`` (sys/audit-hash)."""
        return self.must("POST", f"sys/audit-hash/{device}", {"input": value}).text("data", "hash")

    def register(self, kind: str, name: str, program: str = "") -> None:
        """Enter an external plugin of the plugin folder into the catalogue; nothing where plugins are built in."""
        if self.plugins is None:
            return
        program = program or name
        digest = hashlib.sha256((self.plugins / program).read_bytes()).hexdigest()
        self.must("PUT", f"sys/plugins/catalog/{kind}/{name}", {"sha256": digest, "command": program})

    def wait_for(self, text: str, seconds: float = 30) -> bool:
        """Whether the server log comes to hold ``text`` in that time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if text in self.logs["server"].read_text(errors="replace"):
                return True
            time.sleep(0.25)
        return False

    def stop(self) -> None:
        """End the server; what it kept in memory is gone."""
        if self._child is not None:
            self._child.stop()

    @property
    def logs(self) -> dict[str, Path]:
        """Audit devices and the server log."""
        return {
            "audit-first": self.folder / "audit-first.log",
            "audit-second": self.folder / "audit-second.log",
            "server": self.folder / "server.log",
        }
