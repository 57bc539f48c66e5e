"""An authority, a server's certificate and clients' certificates, drawn for a test."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BEGUN = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
ENDS = BEGUN + dt.timedelta(days=1)


class Pair(NamedTuple):
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def drawn(name: str, issuer: Pair | None = None, *, authority: bool = False, uri: str | None = None) -> Pair:
    """A certificate, self-signed where there is no issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    alternative: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGUN)
        .not_valid_after(ENDS)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)] if uri else alternative), critical=False
        )
    )
    return Pair(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def written(folder: Path, name: str, pair: Pair, *above: Pair) -> tuple[str, str]:
    """The files of a chain and its key."""
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    chain.write_bytes(pair.pem() + b"".join(each.pem() for each in above))
    key.write_bytes(
        pair.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return str(chain), str(key)
