# ruff: noqa: N815 - fields have the names that they have in the log
"""Service account tokens: issued by TokenRequest, looked at by TokenReview, or long-lived in a Secret.

``authentication.k8s.io/v1`` TokenRequest and TokenReview. The server names the token that it issued in an annotation
(``issued-credential-id``, Kubernetes 1.30 and later) at every level; what it is bound to only from level Request on.
"""

import msgspec

from custody.model.events import Asserter, Granularity, Part, Stage
from custody.sources.kubernetes_audit import principals
from custody.sources.kubernetes_audit.call import Call
from custody.sources.kubernetes_audit.moments import expiry
from custody.sources.kubernetes_audit.records import Meta, User

ISSUED = "authentication.kubernetes.io/issued-credential-id"
INJECTED_SECONDS = 3607
"""What the server itself puts into the pods that it admits. It may extend such a token (to a year, on EKS to 90 days)
and still answers with the time asked for: the expiry is then unknown."""
_LEGACY_TYPE = "kubernetes.io/service-account-token"
_LEGACY_NAME = "kubernetes.io/service-account.name"
_Binding = tuple[str | None, Granularity | None]


class BoundObject(msgspec.Struct, frozen=True, gc=False):
    """The object whose end is the token's end."""

    kind: str | None = None
    name: str | None = None
    uid: str | None = None


class TokenSpec(msgspec.Struct, frozen=True, gc=False):
    """What was asked for."""

    audiences: list[str] | None = None
    expirationSeconds: int | None = None
    boundObjectRef: BoundObject | None = None


class TokenStatus(msgspec.Struct, frozen=True, gc=False):
    """What was given; the token itself is never read."""

    expirationTimestamp: str | None = None


class TokenRequest(msgspec.Struct, frozen=True, gc=False):
    """The request and, in a response, its answer."""

    spec: TokenSpec | None = None
    status: TokenStatus | None = None


class ReviewStatus(msgspec.Struct, frozen=True, gc=False):
    """What the server says of a token that somebody had it look at."""

    authenticated: bool | None = None
    user: User | None = None


class TokenReview(msgspec.Struct, frozen=True, gc=False):
    """The answer to a review."""

    status: ReviewStatus | None = None


class Secret(msgspec.Struct, frozen=True, gc=False):
    """A Secret without its data."""

    type: str | None = None
    metadata: Meta | None = None


_REQUEST = msgspec.json.Decoder(TokenRequest)
_REVIEW = msgspec.json.Decoder(TokenReview)
_SECRET = msgspec.json.Decoder(Secret)


def request(call: Call) -> tuple[Part, ...]:
    """The issue of a token; a change of the account where the server does not name the token."""
    subject = call.service_account(call.about.namespace, call.about.name)
    asked, answered = call.request(_REQUEST) or TokenRequest(), call.response(_REQUEST) or TokenRequest()
    spec = answered.spec or asked.spec or TokenSpec()
    workload, granularity = _bound(call, spec, asked.spec or TokenSpec(), subject)
    key = principals.issued(call.annotation(ISSUED), call.scope)
    if key is None:
        bound = workload if workload != subject else None
        return (Part(stage=Stage.CHANGE, key=subject, effect="token.request", object=bound),)
    return (
        Part(
            stage=Stage.ISSUE,
            key=key,
            parent=call.credential,
            subject=subject,
            workload=workload,
            granularity=granularity,
            bound_by=Asserter.ISSUER if workload else None,
            method="TokenRequest",
            not_after=_expiry(spec, answered.status),
            population="machine",
        ),
    )


def _bound(call: Call, spec: TokenSpec, asked: TokenSpec, subject: str | None) -> _Binding:
    """What the server bound the token to: it refuses a request whose object is not there or not of the account."""
    found = spec.boundObjectRef or asked.boundObjectRef or BoundObject()
    if found.kind == "Pod" and found.uid:
        return principals.pod(found.uid), Granularity.POD
    if found.kind == "Node" and found.name:
        return principals.node(found.name, call.scope), Granularity.NODE
    return subject, Granularity.ACCOUNT if subject else None


def _expiry(spec: TokenSpec, status: TokenStatus | None) -> int | None:
    if status is None or spec.expirationSeconds == INJECTED_SECONDS:
        return None
    return expiry(status.expirationTimestamp, "$.responseObject.status.expirationTimestamp")


def asked_for(call: Call) -> dict[str, object]:
    """What the caller asked of a token, as tags: audiences and seconds."""
    found = call.request(_REQUEST) or call.response(_REQUEST) or TokenRequest()
    spec = found.spec or TokenSpec()
    return {"audiences": spec.audiences, "expiration_seconds": spec.expirationSeconds}


def review(call: Call) -> tuple[Part, ...]:
    """Where a token was presented: to the caller of the review, who had the server look at it."""
    message = call.response(_REVIEW)
    status = message.status if message else None
    if status is None or not status.authenticated or status.user is None:
        return ()
    key = principals.presented(status.user, call.scope)
    if key is None:
        return ()
    subject = call.principal_of(status.user.username)
    return (
        Part(
            stage=Stage.USE,
            key=key,
            subject=subject,
            effect="token.review",
            object=subject,
            related=call.principal,
            population=None if key.startswith("aws_akid:") else principals.population(status.user.username),
        ),
    )


def secret(call: Call) -> tuple[Part, ...]:
    """A long-lived token that a Secret asks for; it has no id, so it is a change of its account."""
    made = call.response(_SECRET) or call.request(_SECRET)
    if made is None or made.type != _LEGACY_TYPE or made.metadata is None:
        return ()
    namespace, name = made.metadata.namespace or call.about.namespace, made.metadata.name or call.about.name
    account = call.service_account(namespace, (made.metadata.annotations or {}).get(_LEGACY_NAME))
    place = f"secrets/{namespace}/{name}" if namespace and name else None
    return (Part(stage=Stage.CHANGE, key=account, effect="token.legacy", object=place),)
