"""A certificate authority of the laboratory (X.509, RFC 5280): servers, clients, and workloads with a SPIFFE id."""

import hashlib
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BOTH_WAYS = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]


class Certificate:
    """A certificate and its key in two PEM files."""

    def __init__(self, folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self.key = key
        self.file = folder / f"{name}.crt"
        self.key_file = folder / f"{name}.key"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.key_file.write_bytes(private_pem(key))

    @property
    def sha256(self) -> str:
        """Lower-case hex SHA-256 of the DER form."""
        return hashlib.sha256(self.certificate.public_bytes(serialization.Encoding.DER)).hexdigest()

    @property
    def serial(self) -> str:
        """The serial in lower-case hex without leading zeros."""
        return f"{self.certificate.serial_number:x}"


class Authority:
    """Signs for an hour."""

    def __init__(self, folder: Path, name: str = "Laboratory") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name, ())
        builder = _builder(subject, subject, key.public_key(), timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
        self.own = Certificate(folder, "authority", builder.sign(key, hashes.SHA256()), key)

    def issue(
        self, name: str, *, groups: tuple[str, ...] = (), uri: str = "", life: timedelta = timedelta(hours=1)
    ) -> Certificate:
        """A certificate good for servers on loopback and for clients, with a new key."""
        key = ec.generate_private_key(ec.SECP256R1())
        return Certificate(
            self.folder, name.replace(":", "-"), self.sign(name, key.public_key(), groups, uri, life), key
        )

    def client_context(self, who: Certificate | None) -> ssl.SSLContext:
        """What a client trusts, and the certificate that it shows, if any."""
        context = ssl.create_default_context(cafile=str(self.own.file))
        if who is not None:
            context.load_cert_chain(who.file, who.key_file)
        return context

    def sign(
        self, name: str, key: ec.EllipticCurvePublicKey, groups: tuple[str, ...], uri: str, life: timedelta
    ) -> x509.Certificate:
        """Sign a public key for a name."""
        builder = _builder(_name(name, groups), self.own.certificate.subject, key, life)
        names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        if uri:
            names = [x509.UniformResourceIdentifier(uri)]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(BOTH_WAYS), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
        return builder.sign(self.own.key, hashes.SHA256())


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The key as an unencrypted PKCS#8 PEM."""
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def public_pem(key: ec.EllipticCurvePublicKey) -> bytes:
    """The public key as a SubjectPublicKeyInfo PEM."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _name(name: str, groups: tuple[str, ...]) -> x509.Name:
    organisations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organisations, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, life: timedelta
) -> x509.CertificateBuilder:
    start = datetime.now(UTC) - timedelta(minutes=1)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(start + life)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
