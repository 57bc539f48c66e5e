"""A real OpenID Connect issuer on loopback: discovery and JWKS over HTTPS, keys that rotate, ways to misbehave.

With ``Issuer() as issuer`` it serves. ``issuer.token(sub="…")`` signs claims; ``rotate()`` changes the key. Paths in
``answers`` are answered by that function instead of truly: it can lie, hang, redirect or send too much.
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import json
import ssl
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Answer = Callable[["Handler"], None]

DISCOVERY, JWKS = "/.well-known/openid-configuration", "/keys"


def b64(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def private(algorithm: str, number: int = 0) -> Private:
    """A key for an algorithm; the same one for the same kind and number."""
    return _made("RSA" if algorithm[:2] in ("RS", "PS") else "Ed" if algorithm.startswith("Ed") else algorithm, number)


@cache
def _made(kind: str, _: int) -> Private:
    curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    if kind == "RSA":
        return rsa.generate_private_key(65537, 2048)
    return ed25519.Ed25519PrivateKey.generate() if kind == "Ed" else ec.generate_private_key(curves[kind])


class SigningKey:
    """A private key with an algorithm and a key id. Signing is written out here: no code under test is used."""

    def __init__(self, algorithm: str = "ES256", kid: str | None = "k-1", number: int = 0) -> None:
        self.algorithm = algorithm
        self.kid = kid
        self.private = private(algorithm, number)

    def jwk(self, **more: object) -> dict[str, object]:
        """The public JWK."""
        public = self.private.public_key()
        kid = {} if self.kid is None else {"kid": self.kid}
        return {**_members(public), "use": "sig", "alg": self.algorithm, **kid, **more}

    def signature(self, signed: bytes) -> bytes:
        """The JWS signature."""
        key = self.private
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(signed)
        digest = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[self.algorithm[2:]]
        if isinstance(key, rsa.RSAPrivateKey):
            if self.algorithm.startswith("PS"):
                return key.sign(signed, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
            return key.sign(signed, padding.PKCS1v15(), digest)
        numbers = decode_dss_signature(key.sign(signed, ec.ECDSA(digest)))
        size = (key.curve.key_size + 7) // 8
        return b"".join(number.to_bytes(size) for number in numbers)

    def sign(self, claims: Mapping[str, object] | bytes, header: Mapping[str, object] | bytes | None = None) -> bytes:
        """A compact JWS. ``header`` gives members that differ (None leaves one out), or as bytes all of it."""
        if not isinstance(header, bytes):
            members = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT", **(header or {})}
            header = json.dumps({name: value for name, value in members.items() if value is not None}).encode()
        payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
        signed = f"{b64(header)}.{b64(payload)}".encode()
        return signed + b"." + b64(self.signature(signed)).encode()


def _members(public: object) -> dict[str, object]:
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        size = (public.key_size + 7) // 8
        return {"kty": "RSA", "n": b64(numbers.n.to_bytes(size)), "e": b64(numbers.e.to_bytes(3))}
    if isinstance(public, ec.EllipticCurvePublicKey):
        point = public.public_numbers()
        size = (public.key_size + 7) // 8
        curve = {256: "P-256", 384: "P-384", 521: "P-521"}[public.key_size]
        return {"kty": "EC", "crv": curve, "x": b64(point.x.to_bytes(size)), "y": b64(point.y.to_bytes(size))}
    assert isinstance(public, ed25519.Ed25519PublicKey)
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw())}


class Handler(BaseHTTPRequestHandler):
    """Answers as its issuer says."""

    issuer: Issuer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.issuer.asked.append(self.path)
        answer = self.issuer.answers.get(self.path)
        if answer is not None:
            answer(self)
        elif self.path == DISCOVERY:
            self.json(self.issuer.document())
        elif self.path == JWKS:
            self.json({"keys": [key.jwk() for key in self.issuer.keys]})
        else:
            self.send(b"{}", status=404)

    def json(self, document: object) -> None:
        """Answer with a JSON document."""
        self.send(json.dumps(document).encode())

    def send(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Answer; ``Content_Type`` and others replace what is sent by default."""
        told = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        self.send_response(status)
        for name, value in {**told, **{name.replace("_", "-"): value for name, value in headers.items()}}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Issuer:
    """An issuer that serves. ``url`` is its identifier, ``authority`` a PEM file of its CA (None without TLS)."""

    def __init__(self, *keys: SigningKey, tls: bool = True, path: str = "") -> None:
        self.keys = list(keys) or [SigningKey()]
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.authority: Path | None = None
        self.released = Event()
        self._numbers = count(2)
        self._folder = tempfile.TemporaryDirectory()
        handler = type("Bound", (Handler,), {"issuer": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        if tls:
            self._secure()
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}{path}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._folder.cleanup()

    def _secure(self) -> None:
        folder = Path(self._folder.name)
        authority, certificate, key = certificates()
        self.authority = folder / "authority.pem"
        self.authority.write_bytes(authority)
        (folder / "server.pem").write_bytes(certificate + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)

    def document(self) -> dict[str, object]:
        """The discovery document."""
        return {
            "issuer": self.url, "jwks_uri": f"https://localhost:{self.port}{JWKS}" if self.authority else
            f"http://localhost:{self.port}{JWKS}", "id_token_signing_alg_values_supported": ["ES256"],
        }  # fmt: skip

    def claims(self, now: int, **said: object) -> dict[str, object]:
        """The claims of a token at ``now`` (s); those said replace the usual, None leaves one out."""
        usual = {
            "iss": self.url, "aud": "custody", "sub": "workload", "iat": now, "nbf": now, "exp": now + 3600,
            "jti": f"jti-{next(self._numbers)}",
        }  # fmt: skip
        return {name: value for name, value in {**usual, **said}.items() if value is not None}

    def token(self, now: int, header: Mapping[str, object] | None = None, **said: object) -> bytes:
        """A token that the newest key signed."""
        return self.keys[-1].sign(self.claims(now, **said), header)

    def rotate(self, *, keep: bool = False) -> SigningKey:
        """A new key, in place of the others or (``keep``) beside them."""
        number = next(self._numbers)
        new = SigningKey("ES256", f"k-{number}", number)
        self.keys = [*self.keys, new] if keep else [new]
        return new

    def hang(self, handler: Handler) -> None:
        """An answer that never comes while the issuer serves."""
        self.released.wait(10)
        handler.close_connection = True


@cache
def certificates() -> tuple[bytes, bytes, bytes]:
    """PEM: a CA, and a certificate and key for localhost and 127.0.0.1."""
    root, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), loopback])
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key())
    authority = (
        _certificate(name, name, root)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(root.public_key()), critical=False)
        .add_extension(_signs_certificates(), critical=True)
        .sign(root, hashes.SHA256())
    )
    leaf = (
        _certificate(subject, name, own)
        .add_extension(names, critical=False)
        .add_extension(identifier, critical=False)
        .sign(root, hashes.SHA256())
    )
    secret = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return authority.public_bytes(Encoding.PEM), leaf.public_bytes(Encoding.PEM), secret


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
    )


def _signs_certificates() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
