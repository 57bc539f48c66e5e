# ruff: noqa: N815 - fields have the names that they have in the log
"""Client certificates: asked for, approved and signed through CertificateSigningRequests (``certificates.k8s.io/v1``).

The certificate in a signed request is the credential that the server later names ``X509SHA256=<hex of its DER>``.
"""

import base64
from collections.abc import Iterator

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from custody.errors import SourceError
from custody.model.events import Asserter, Granularity, Part, Stage
from custody.sources.kubernetes_audit import principals
from custody.sources.kubernetes_audit.call import Call
from custody.sources.kubernetes_audit.moments import expiry
from custody.sources.kubernetes_audit.records import Extra, Meta, User

_CLIENT, _KUBELET = "kubernetes.io/kube-apiserver-client", "kubernetes.io/kube-apiserver-client-kubelet"


class Condition(msgspec.Struct, frozen=True, gc=False):
    """What was decided."""

    type: str | None = None


class Asked(msgspec.Struct, frozen=True, gc=False):
    """What was asked for; the server fills in who asked."""

    signerName: str | None = None
    username: str | None = None
    uid: str | None = None
    extra: Extra | None = None


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What was decided and signed; the certificate is base64 of PEM."""

    conditions: list[Condition] | None = None
    certificate: str | None = None


class SigningRequest(msgspec.Struct, frozen=True, gc=False):
    """A CertificateSigningRequest."""

    metadata: Meta | None = None
    spec: Asked | None = None
    status: Answer | None = None


class Certificate(msgspec.Struct, frozen=True, gc=False):
    """What custody needs of a certificate: the SHA-256 of its DER in lower-case hex, whom it names, until when."""

    digest: str
    name: str | None
    not_after: int | None


_SIGNING = msgspec.json.Decoder(SigningRequest)


def _key(call: Call) -> str | None:
    bodies = (call.response(_SIGNING), call.request(_SIGNING))
    names = (call.about.name, *(body.metadata.name for body in bodies if body and body.metadata))
    name = next((name for name in names if name), None)
    where = "kubernetes" if call.scope == principals.UNNAMED else call.scope
    return f"approval:{where.replace('%', '%25').replace(':', '%3A')}:csr/{name}" if name else None


def _signer(call: Call) -> str | None:
    for body in (call.response(_SIGNING), call.request(_SIGNING)):
        if body and body.spec and body.spec.signerName:
            return body.spec.signerName
    return None


def create(call: Call) -> tuple[Part, ...]:
    """The request for a certificate; a change of who asked where the request has no name yet (``generateName``)."""
    key, signer = _key(call), _signer(call)
    if key is None:
        return (Part(stage=Stage.CHANGE, key=call.principal, effect="certificate.request", object=signer),)
    return (Part(stage=Stage.REQUEST, key=key, subject=call.principal, effect="approval.request", object=signer),)


def decide(call: Call) -> tuple[Part, ...]:
    """The decision on a request; a change without a verdict where the level hides the condition."""
    types: set[str | None] = set()
    for body in (call.response(_SIGNING), call.request(_SIGNING)):
        types |= {one.type for one in (body.status.conditions or ())} if body and body.status else set()
    key, signer = _key(call), _signer(call)
    effect = "approval.deny" if "Denied" in types else "approval.grant" if "Approved" in types else None
    if key is None or effect is None:
        return (Part(stage=Stage.CHANGE, key=key, effect="approval.update", object=signer),)
    return (Part(stage=Stage.APPROVE, key=key, subject=call.principal, effect=effect, object=signer),)


def sign(call: Call) -> tuple[Part, ...]:
    """The issue of a certificate, under its credential id and, as an alias, under its SHA-256."""
    for body in (call.response(_SIGNING), call.request(_SIGNING)):
        found = certificate(body.status.certificate) if body and body.status and body.status.certificate else None
        if body is not None and found is not None:
            return tuple(_issue(call, body.spec or Asked(), found))
    return ()


def _issue(call: Call, asked: Asked, found: Certificate) -> Iterator[Part]:
    client = asked.signerName in (_CLIENT, _KUBELET)
    subject = call.principal_of(found.name) if client else None
    key = principals.issued(f"X509SHA256={found.digest}", call.scope)
    yield Part(
        stage=Stage.ISSUE,
        key=key,
        parent=_parent(call, asked),
        subject=subject,
        workload=subject,
        granularity=(Granularity.NODE if asked.signerName == _KUBELET else Granularity.ACCOUNT) if subject else None,
        bound_by=Asserter.ISSUER if subject else None,
        method="CertificateSigningRequest",
        not_after=found.not_after,
        object=asked.signerName,
        related=_key(call),
        population=principals.population(found.name) if client else None,
    )
    yield Part(stage=Stage.ISSUE, key=f"x509_sha256:x509:{found.digest}", alias=key, not_after=found.not_after)


def _parent(call: Call, asked: Asked) -> str | None:
    """The credential that asked, as the server wrote it into the request."""
    return principals.presented(User(username=asked.username, uid=asked.uid, extra=asked.extra), call.scope)


def certificate(text: str) -> Certificate | None:
    """The first certificate of base64 of PEM; None where it can not be read."""
    try:
        found = x509.load_pem_x509_certificates(base64.b64decode(text, validate=True))[0]
        names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        name = names[0].value if len(names) == 1 else None
        until = expiry(found.not_valid_after_utc.isoformat(), "certificate")
        return Certificate(found.fingerprint(SHA256()).hex(), name if isinstance(name, str) else None, until)
    except (ValueError, TypeError, IndexError, SourceError, x509.InvalidVersion, UnsupportedAlgorithm):
        return None
