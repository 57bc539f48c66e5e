"""The broker to try out: a folder with everything in it, an issuer of identities that only this machine believes.

The demo issuer is a key in the folder. Its tokens prove nothing to anybody else; a real broker trusts the issuers of
real platforms (docs/identity.md).
"""

from __future__ import annotations

import base64
import os
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from custody.broker.clock import Random, ulid
from custody.errors import UsageError

ISSUER = "https://issuer.demo.invalid"
LISTEN = "127.0.0.1:8440"
SUBJECT = "nightly-report"
LIFE = 600
"""Seconds that a token of the demo issuer is valid."""

BROKER_FILE = """\
# A broker to try out, made by `custody serve --demo`. docs/broker.md says what can stand here.
broker = "demo"
issuer = "{url}"
environment = "demo"
listen = "{listen}"
policies = "policies"
derive_every = 2

[[identities]]
method = "oidc"
issuer = "{issuer}"
audience = "{url}"
jwks = "issuer.jwks"

[[backends]]
name = "tokens"
kind = "jwt"
max_ttl = 900
options = {{ audiences = ["reports"], scopes = ["reports:read", "reports:write"] }}
"""

POLICY = """\
// The report job may read reports, for five minutes at a time, if it says why.
@id("report-reads")
@max_ttl("5m")
permit (principal in Identity::"nightly-report", action in Action::"Obtain", resource == Backend::"tokens")
when { context has purpose && context.scope == ["reports:read"] };
"""

REGISTER = """\
version: 1
register: demo
identities:
  nightly-report:
    kind: workload
    names: ["oidc_subject:issuer.demo.invalid:nightly-report"]
    owner: team:reports
    purpose: makes the nightly report
"""

SETTINGS = """\
store = "store"
keys = "keys"
approval_keys = "approval-keys"
"""


class Folder:
    """The folder of a demo."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.token = self.path / "identity.token"

    def prepare(self, listen: str) -> bool:
        """Write what is not there yet; gives whether the folder is new."""
        if self.path.exists() and self.path.stat().st_mode & 0o022:
            raise UsageError("others can write to the folder of the demo", where=str(self.path))
        fresh = not (self.path / "broker.toml").exists()
        if fresh:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.path / "policies").mkdir(exist_ok=True)
            url = f"http://{listen}"
            (self.path / "policies" / "reports.cedar").write_text(POLICY, encoding="utf-8")
            (self.path / "register.yaml").write_text(REGISTER, encoding="utf-8")
            (self.path / "custody.toml").write_text(SETTINGS, encoding="utf-8")
            self._key(Ed25519PrivateKey.generate())
            text = BROKER_FILE.format(url=url, listen=listen, issuer=ISSUER)
            (self.path / "broker.toml").write_text(text, encoding="utf-8")
        return fresh

    def mint(self, url: str, now: int, random: Random) -> None:
        """A fresh token of the demo's workload, in place of the last one. ``now`` is in µs."""
        seconds = now // 1_000_000
        claims = {
            "iss": ISSUER,
            "sub": SUBJECT,
            "aud": url,
            "iat": seconds,
            "exp": seconds + LIFE,
            "jti": ulid(now, random),
        }
        pem = (self.path / "issuer.pem").read_bytes()
        key = serialization.load_pem_private_key(pem, None)
        assert isinstance(key, Ed25519PrivateKey)
        signed = f"{_encoded({'alg': 'EdDSA', 'kid': 'demo', 'typ': 'JWT'})}.{_encoded(claims)}"
        token = f"{signed}.{_text(key.sign(signed.encode()))}"
        fresh = self.token.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
            file.write(token)
        fresh.rename(self.token)

    def _key(self, key: Ed25519PrivateKey) -> None:
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with os.fdopen(os.open(self.path / "issuer.pem", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
        raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": _text(raw), "kid": "demo", "use": "sig", "alg": "EdDSA"}
        (self.path / "issuer.jwks").write_bytes(msgspec.json.encode({"keys": [jwk]}))


def _encoded(value: object) -> str:
    return _text(msgspec.json.encode(value))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
