"""Workloads that prove themselves with an X.509-SVID on a mutually authenticated connection (X509-SVID.md of SPIFFE).

The connection proved that the client holds the key; here its certificate is verified: one SPIFFE id, the usages of a
workload, and a path (RFC 5280) to the bundle of the id's own trust domain, at the time of the request.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from custody.broker.proof import claims as said
from custody.broker.proof.bundles import PARSING, Bundle, certificate
from custody.broker.proof.held import LIFETIME, SECOND, Kept, Source
from custody.broker.proof.oidc import KEYS_AGE
from custody.broker.proof.prover import Presented, Proved
from custody.broker.proof.refusals import refused
from custody.broker.proof.spiffe_id import SpiffeId, spiffe_id
from custody.model.broker_terms import Proof
from custody.model.events import Granularity
from custody.settings.broker_file import TrustDomain

MAX_CHAIN = 8
"""Certificates that a client may show."""

MAX_CERTIFICATE = 16 << 10
"""Bytes of one."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CRITICAL = frozenset(
    (
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    )
)
"""The extensions that are checked here; a certificate that marks another one as critical is refused (RFC 5280 4.2)."""


class SpiffeX509Prover:
    """Proves by the X.509-SVIDs of one trust domain."""

    def __init__(self, domain: TrustDomain, bundles: Source[Bundle]) -> None:
        self.domain = domain
        self._bundles = bundles

    def knows(self, presented: Presented) -> bool:
        """See ``Prover``: by the trust domain in the certificate, where no token is presented with it."""
        return not presented.token and domain_of(presented.certificate) == self.domain.trust_domain

    async def authorities(self, now: int) -> tuple[bytes, ...]:
        """The CA certificates of the bundle (DER): what the TLS layer has to let through to here."""
        kept = await self._bundles.get(now)
        return tuple(each.public_bytes(Encoding.DER) for each in kept.value.authorities)

    async def prove(self, presented: Presented, now: int) -> Proved:
        """See ``Prover``."""
        chain = loaded(presented.certificate)
        workload = named(chain[0])
        if workload.domain != self.domain.trust_domain:
            raise refused("untrusted-issuer", expected="an id of a trust domain of the broker file")
        for_workloads(chain[0], workload.domain)
        kept = await self._bundles.get(now)
        root = anchored(chain, kept.value, now)
        return Proved(proof=_proof(presented.certificate[0], chain[0], workload, root, kept, now))


def domain_of(certificates: tuple[bytes, ...]) -> str | None:
    """The trust domain that an unverified certificate names, None where there is none."""
    try:
        return named(loaded(certificates[:1])[0]).domain
    except _Refused:
        return None


_Refused = type(refused("malformed"))


def loaded(certificates: tuple[bytes, ...]) -> list[x509.Certificate]:
    """The certificates. IdentityRefused where there is none, too much of it or one that is none."""
    if not certificates:
        raise refused("no-proof", expected="a client certificate")
    if len(certificates) > MAX_CHAIN or any(len(each) > MAX_CERTIFICATE for each in certificates):
        raise refused("too-large", expected=f"at most {MAX_CHAIN} certificates of {MAX_CERTIFICATE} bytes")
    try:
        return [certificate(each) for each in certificates]
    except PARSING:
        raise refused("malformed", expected="X.509 certificates in DER") from None


def named(leaf: x509.Certificate) -> SpiffeId:
    """The workload that a leaf names. IdentityRefused ``svid-name`` unless it has one URI, which is its SPIFFE id."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = names.get_values_for_type(x509.UniformResourceIdentifier)
    except (*PARSING, x509.ExtensionNotFound):
        raise refused("svid-name", expected="a subject alternative name with one URI") from None
    workload = spiffe_id(found[0]) if len(found) == 1 else None
    if workload is None:
        raise refused("svid-name", expected="one URI that is the SPIFFE id of a workload")
    return workload


def for_workloads(leaf: x509.Certificate, where: str) -> None:
    """IdentityRefused ``svid-usage`` unless the certificate is one for a workload to sign with, and no CA."""
    try:
        extensions = leaf.extensions
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        purposes = _purposes(extensions)
        authority = any(each.value.ca for each in extensions if isinstance(each.value, x509.BasicConstraints))
    except (*PARSING, x509.ExtensionNotFound):
        raise refused("svid-usage", where=where, expected="extensions with a key usage") from None
    unchecked = any(each.critical and each.oid not in _CRITICAL for each in extensions)
    if authority or unchecked or not usage.digital_signature or usage.key_cert_sign or usage.crl_sign:
        raise refused("svid-usage", where=where, expected="no CA; digitalSignature without keyCertSign and cRLSign")
    if purposes is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in purposes:
        raise refused("svid-usage", where=where, expected="clientAuth among the extended key usages")


def _purposes(extensions: x509.Extensions) -> x509.ExtendedKeyUsage | None:
    return next((each.value for each in extensions if isinstance(each.value, x509.ExtendedKeyUsage)), None)


def anchored(chain: list[x509.Certificate], bundle: Bundle, now: int) -> x509.Certificate:
    """The authority of the bundle that a chain leads to at ``now`` (µs). IdentityRefused where it leads to none."""
    where, moment = bundle.domain, _EPOCH + timedelta(microseconds=now)
    if not chain[0].not_valid_before_utc <= moment <= chain[0].not_valid_after_utc:
        raise refused("svid-expired", where=where)
    if not bundle.authorities:
        raise refused("svid-chain", where=where, expected="a bundle with X.509 authorities")
    policy = PolicyBuilder().store(Store(list(bundle.authorities))).time(moment).max_chain_depth(MAX_CHAIN)
    verifier = policy.extension_policies(
        ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=ExtensionPolicy.permit_all()
    ).build_client_verifier()
    try:
        return verifier.verify(chain[0], chain[1:]).chain[-1]
    except (VerificationError, *PARSING):
        raise refused("svid-chain", where=where) from None


def _proof(
    raw: bytes, leaf: x509.Certificate, workload: SpiffeId, root: x509.Certificate, bundle: Kept[Bundle], now: int
) -> Proof:
    digest = sha256(raw).hexdigest()
    age = bundle.age(now)
    note = {KEYS_AGE: str(age)} if age * SECOND >= LIFETIME else {}
    return Proof(
        method="spiffe-x509",
        issuer=workload.domain,
        subject=str(workload),
        workload=workload.key,
        digest=digest,
        key=sha256(root.public_bytes(Encoding.DER)).hexdigest(),
        trust=bundle.value.keys.digest,
        expires=said.moment(leaf.not_valid_after_utc.timestamp()),
        granularity=Granularity.ACCOUNT.value,
        credential=f"x509_sha256:x509:{digest}",
        claims={"serial": f"{leaf.serial_number:x}", "not_before": leaf.not_valid_before_utc.isoformat()} | note,
    )
