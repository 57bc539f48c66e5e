"""A SPIFFE authority for tests: bundles, JWT-SVIDs and X.509-SVIDs, right ones and wrong ones."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Sequence
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from tests.broker.issuer import SigningKey
from tests.broker.proof.asking import SECOND

DOMAIN, ID = "example.org", "spiffe://example.org/shop/pay"
MOMENT = dt.datetime.fromtimestamp(SECOND, dt.UTC)
BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


@cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def usage(*, sign: bool = True, certificates: bool = False, lists: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=certificates, crl_sign=lists, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def authority(
    name: str = "root", by: str | None = None, *, path: int | None = None, ca: bool = True, days: float = 30.0
) -> x509.Certificate:
    """A CA's certificate: its own, or signed ``by`` another."""
    own = key(name).public_key()
    builder = (
        _builder(name, by or name, own, -1.0, days)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path), critical=True)
        .add_extension(usage(sign=False, certificates=True, lists=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own), critical=False)
        .add_extension(_issued_by(by or name), critical=False)
    )
    return builder.sign(key(by or name), hashes.SHA256())


def leaf(
    by: str = "root", *, uris: Sequence[str] = (ID,), dns: Sequence[str] = (), ca: bool | None = False,
    usages: x509.KeyUsage | None = None, bare: bool = False, purposes: Sequence[ObjectIdentifier] | None = BOTH,
    begins: float = -0.01, ends: float = 0.04, critical: bool = False, signer: str | None = None,
) -> bytes:  # fmt: skip
    """An X.509-SVID (DER); times are in days from now. ``signer`` signs it in the name of ``by``."""
    builder = _builder("workload", by, key("workload").public_key(), begins, ends).add_extension(
        _issued_by(by), critical=False
    )
    names = [*map(x509.UniformResourceIdentifier, uris), *map(x509.DNSName, dns)]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if not bare:
        builder = builder.add_extension(usages or usage(), critical=True)
    if purposes is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if critical:
        unknown = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
        builder = builder.add_extension(unknown, critical=True)
    return builder.sign(key(signer or by), hashes.SHA256()).public_bytes(Encoding.DER)


def _builder(
    name: str, by: str, public: ec.EllipticCurvePublicKey, begins: float, ends: float
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(by))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(MOMENT + dt.timedelta(days=begins))
        .not_valid_after(MOMENT + dt.timedelta(days=ends))
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)])


def _issued_by(name: str) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key(name).public_key())


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def x509_entry(certificate: x509.Certificate) -> dict[str, object]:
    return {"kty": "EC", "use": "x509-svid", "x5c": [base64.b64encode(der(certificate)).decode()]}


def jwt_entry(signer: SigningKey) -> dict[str, object]:
    return {name: value for name, value in signer.jwk(use="jwt-svid").items() if name != "alg"}


def bundle(*entries: dict[str, object], **said: object) -> bytes:
    return json.dumps({"spiffe_sequence": 3, "spiffe_refresh_hint": 300, "keys": list(entries), **said}).encode()
