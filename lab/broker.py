"""A custody broker as people run it: ``custody serve`` over TLS in a process of its own, its store that of the scene.

It believes the cluster's tokens (keys by discovery), X.509-SVIDs of the authority here (no SPIRE server could be had),
and people whose ID tokens the script signs. It makes database roles and signed tokens.
"""

import base64
import json
import secrets
import ssl
import sys
import time
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from custody.store.reader import Reader
from lab import web
from lab.certificates import Authority, Certificate
from lab.kubernetes import Kubernetes
from lab.postgresql import PostgreSQL
from lab.processes import LOOPBACK, Child, answers, free_port, run_as

NAME = "lab"
AUDIENCE = "custody-broker"
TRUST_DOMAIN = "example.org"
LOGIN = "https://login.example.org"
OWN_ROLE = "custody_broker"
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"

SETTINGS = """
broker = "{name}"
issuer = "{url}"
environment = "laboratory"
listen = "{listen}"
policies = "policies"
seal_every = 0.2
derive_every = 0

[[identities]]
method = "oidc"
issuer = "{cluster}"
audience = "{audience}"
platform = "kubernetes"
private = true
authority = "{authority}"

[[identities]]
method = "spiffe"
trust_domain = "{domain}"
audience = "{audience}"
bundle = "example.org.bundle.json"

[people]
issuer = "{login}"
audience = "custody"
jwks = "people.jwks"
roles = {{ operator = ["on-call"] }}

[[backends]]
name = "orders"
kind = "postgresql"
max_ttl = 3600

[backends.options]
host = "{host}"
port = {port}
database = "{database}"
user = "{user}"
password = "file:database.password"
sslmode = "disable"
scopes = {{ read = ["orders_read"], write = ["orders_write"] }}

[[backends]]
name = "tokens"
kind = "jwt"
max_ttl = 900
options = {{ audiences = ["reports"], scopes = ["read"] }}

[tls]
certificate = "{certificate}"
key = "{key}"
client_authorities = "{workloads}"
"""
POLICIES = """
@id("orders/read")
@max_ttl("10m")
permit (principal in Identity::"shop", action in Action::"Obtain", resource == Backend::"orders")
when { context has purpose && context.scope == ["read"] && principal has granularity }
when { principal.granularity == "pod" };

@id("reports/read")
@max_ttl("5m")
permit (principal in Identity::"reporter", action in Action::"Obtain", resource == Backend::"tokens")
when { context.scope == ["read"] && principal.method == "spiffe-x509" };
"""
REGISTER = """
version: 1
register: laboratory
identities:
  shop:
    kind: workload
    names: ["k8s_service_account:-:shop/shop"]
    owner: team:shop
    purpose: sells lamps
  reporter:
    kind: workload
    names: ["spiffe:example.org:/reporter"]
    owner: team:reports
    purpose: reports what was sold
"""


class Broker:
    """One broker on ``folder/broker``, its store ``folder/store``."""

    def __init__(self, folder: Path, cluster: Kubernetes, database: PostgreSQL) -> None:
        self.folder = folder / "broker"
        self.store = folder / "store"
        self.keys = folder / "keys"
        self.cluster = cluster
        self.database = database
        self.port = free_port()
        self.url = f"https://{LOOPBACK}:{self.port}"
        self.tls = Authority(self.folder / "pki", "Laboratory broker")
        self.workloads = Authority(self.folder / "spiffe", TRUST_DOMAIN)
        self._people = Ed25519PrivateKey.generate()
        self._child: Child | None = None

    @property
    def version(self) -> str:
        """The version as the program says it."""
        return run_as(None, [sys.executable, "-m", "custody.cli", "--version"], Path("/")).strip()

    def start(self) -> None:
        """Write its files, seal its register, start it and wait until it issues."""
        self._write()
        self._make_role()
        custody = [sys.executable, "-m", "custody.cli"]
        run_as(None, [*custody, "register", "import", "register.yaml", "--no-judge"], self.folder)
        self._child = Child([*custody, "serve", "broker.toml"], self.folder / "serve.log")
        self._child.wait_until(lambda: answers(self.port) and self._ready(), "the broker")

    def _ready(self) -> bool:
        return web.call(self.port, "GET", "/readyz", tls=self._context(None)).status == 200

    def _write(self) -> None:
        server = self.tls.issue("broker")
        own = {
            "broker.toml": SETTINGS.format(
                name=NAME, url=self.url, listen=f"{LOOPBACK}:{self.port}", cluster=self.cluster.issuer,
                audience=AUDIENCE, authority=self.cluster.authority.own.file, domain=TRUST_DOMAIN, login=LOGIN,
                host=LOOPBACK, port=self.database.port, database=self.database.database, user=OWN_ROLE,
                certificate=server.file, key=server.key_file, workloads=self.workloads.own.file,
            ),
            "custody.toml": "".join(
                f'{name} = "{path}"\n'
                for name, path in (
                    ("store", self.store), ("keys", self.keys), ("approval_keys", self.folder / "approval-keys"),
                )
            ),
            "register.yaml": REGISTER,
            "example.org.bundle.json": json.dumps(self._bundle()),
            "people.jwks": json.dumps(self._people_keys()),
            "database.password": secrets.token_urlsafe(18),
            "policies/laboratory.cedar": POLICIES,
        }  # fmt: skip
        (self.folder / "policies").mkdir()
        for name, text in own.items():
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o600)

    def _make_role(self) -> None:
        """The broker's own role: no superuser; it can give away the groups that its scopes name."""
        password = (self.folder / "database.password").read_text()
        self.database.administer(
            "CREATE TABLE orders(id serial PRIMARY KEY, item text)",
            f"CREATE ROLE {OWN_ROLE} LOGIN CREATEROLE PASSWORD '{password}'",
            f"GRANT pg_signal_backend TO {OWN_ROLE}",
            "CREATE ROLE orders_read NOLOGIN",
            "CREATE ROLE orders_write NOLOGIN",
            "GRANT SELECT ON orders TO orders_read",
            "GRANT INSERT ON orders TO orders_write",
            f"GRANT orders_read, orders_write TO {OWN_ROLE} WITH ADMIN OPTION",
        )

    def _bundle(self) -> web.Json:
        der = self.workloads.own.certificate.public_bytes(serialization.Encoding.DER)
        numbers = self.workloads.own.key.public_key().public_numbers()
        entry = {
            "use": "x509-svid", "kty": "EC", "crv": "P-256", "x5c": [base64.b64encode(der).decode()],
            "x": _encoded(numbers.x.to_bytes(32, "big")), "y": _encoded(numbers.y.to_bytes(32, "big")),
        }  # fmt: skip
        return {"keys": [entry], "spiffe_sequence": 1, "spiffe_refresh_hint": 300}

    def _people_keys(self) -> web.Json:
        raw = self._people.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "people", "x": _encoded(raw)}]}

    def person(self, name: str, *groups: str) -> str:
        """An ID token of somebody who signed in."""
        now = int(time.time())
        claims = {"iss": LOGIN, "sub": name, "aud": "custody", "iat": now, "exp": now + 300, "groups": groups}
        head = {"alg": "EdDSA", "typ": "JWT", "kid": "people"}
        signed = f"{_encoded(json.dumps(head).encode())}.{_encoded(json.dumps(claims).encode())}"
        return f"{signed}.{_encoded(self._people.sign(signed.encode()))}"

    def _context(self, who: Certificate | None) -> ssl.SSLContext:
        return self.tls.client_context(who)

    def ask_with_token(self, token: str, **wanted: str) -> web.Answer:
        """Ask for a credential, proved by a token (RFC 8693)."""
        form = {"grant_type": GRANT, "subject_token": token, "subject_token_type": JWT, **wanted}
        return web.call(self.port, "POST", "/token", form=form, tls=self._context(None))

    def ask_with_certificate(self, certificate: Certificate, **wanted: str) -> web.Answer:
        """Ask for a credential, proved by the certificate of the connection."""
        form = {"grant_type": GRANT, **wanted}
        return web.call(self.port, "POST", "/token", form=form, tls=self._context(certificate))

    def call(self, token: str, method: str, path: str, body: web.Json | None = None) -> web.Answer:
        """One request with a bearer token: a workload's or a person's."""
        headers = {"Authorization": f"Bearer {token}"}
        return web.call(self.port, method, path, body, headers=headers, tls=self._context(None))

    def stop(self) -> None:
        """End it in order: its last lines are sealed then."""
        if self._child is not None:
            self._child.stop()

    def sealed_log(self) -> bytes:
        """Every line of the broker as it is sealed in the store, in order; LookupError where one is missing."""
        lines: list[bytes] = []
        with Reader.open(self.store) as reader:
            while found := reader.find("custody.broker", f"{NAME}/{len(lines) + 1}"):
                kept = reader.kept(found[0]).kept
                if kept is None:
                    raise LookupError(f"line {len(lines) + 1} of the broker is sealed, but not kept")
                lines.append(kept)
        if not lines or json.loads(lines[-1])["body"].get("what") != "stopped":
            raise LookupError(f"the sealed log of the broker has {len(lines)} lines, and not the one of its end")
        return b"\n".join(lines) + b"\n"


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
