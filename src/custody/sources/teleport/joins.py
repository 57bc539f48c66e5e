"""Joins of bots and hosts, and the certificates and SVIDs that follow.

A bot instance is the credential here: its certificates have no serial in the log, but all name it. What joined it, the
auth server verified: a GitHub run or a pod in the claims is the issuer's word.
"""

from collections.abc import Iterator

import msgspec

from custody.model import keys
from custody.model.events import Asserter, Granularity, Part, Stage
from custody.sources.teleport import names
from custody.sources.teleport.records import Audited, Certified, Claims, Joined, Route

_ATTRIBUTES = msgspec.json.Decoder(Joined | None)


def bot_join(found: Audited) -> tuple[Part, ...]:
    """The issue of a bot instance; a renewal of it where it presented what it had (``generation`` over 1)."""
    key = names.instance_of(found)
    if found.success is False or key is None:
        return ()
    if (found.generation or 0) > 1:
        return (Part(stage=Stage.REFRESH, key=key, method=_method(found)),)
    return (_issued(found, key, names.actor(found)),)


def instance_join(found: Audited) -> tuple[Part, ...]:
    """The issue of a host's identity."""
    if found.success is False or not found.host_id:
        return ()
    return (_issued(found, f"custom:teleport/host:{found.host_id}", None),)


def _issued(found: Audited, key: str, subject: str | None) -> Part:
    attributes = _ATTRIBUTES.decode(found.attributes) or Joined()
    claims = attributes.raw or attributes
    workload, granularity = _bound(claims)
    return Part(
        stage=Stage.ISSUE,
        key=key,
        parent=keys.token_key(claims.iss, claims.jti) if claims.iss and claims.jti else None,
        subject=subject,
        workload=workload,
        granularity=granularity,
        bound_by=Asserter.ISSUER if workload else None,
        method=_method(found),
        object=claims.sub or found.role,
        related=names.join_token(found.token_name),
        population="machine",
    )


def _method(found: Audited) -> str:
    return f"{found.event} {found.method}" if found.method else found.event


def _bound(claims: Claims) -> tuple[str | None, Granularity | None]:
    pod = claims.kubernetes.pod if claims.kubernetes else None
    if pod and pod.uid:
        return f"k8s_pod:k8s:{pod.uid}", Granularity.POD
    if claims.run_id and claims.run_attempt:
        return f"github_run:github:{claims.run_id}/{claims.run_attempt}", Granularity.RUN
    return None, None


def certificate(found: Audited) -> Iterator[Part]:
    """A certificate, which has no key of its own: a change of its bot instance or user, one for each request in it."""
    certified = found.identity or Certified()
    subject = names.actor(found)
    key = names.instance_of(found) or subject
    if key is None:
        return
    route = certified.route_to_app or Route()
    for request in certified.access_requests or [""]:
        yield Part(
            stage=Stage.CHANGE,
            key=key,
            effect="cert.create",
            subject=subject,
            session_name=certified.user if route.aws_role_arn else None,
            method=found.cert_type,
            not_after=names.expiry(certified.expires, "$.identity.expires"),
            object=",".join(certified.roles or ()) or None,
            related=names.approval(request) if request else None,
            population=names.population(found),
        )


def join_token(found: Audited) -> tuple[Part, ...]:
    """A join token, by name where that is not masked."""
    key = names.join_token(found.name)
    expires = names.expiry(found.expires, "$.expires")
    roles = ",".join(found.roles or ()) or None
    return (
        Part(
            stage=Stage.CHANGE,
            key=key,
            effect="join_token.create",
            method=found.join_method,
            not_after=expires,
            object=roles,
        ),
    )


def svid(found: Audited) -> tuple[Part, ...]:
    """An X.509 SVID by its serial; a JWT SVID has a ``jti`` without its issuer here, and so no key."""
    if not found.spiffe_id or found.success is False:
        return ()
    domain, subject = names.spiffe(found.spiffe_id, "$.spiffe_id")
    if not found.serial_number:
        return (Part(stage=Stage.CHANGE, key=subject, effect="svid.issue", method=found.svid_type),)
    number = names.serial(found.serial_number, "$.serial_number")
    return (
        Part(
            stage=Stage.ISSUE,
            key=keys.scoped("x509_serial", domain, number),
            parent=names.instance_of(found),
            subject=subject,
            method=found.event,
            population="machine",
        ),
    )


def revocation(found: Audited) -> tuple[Part, ...]:
    """The revocation of an X.509 SVID, which is named by its serial; the trust domain is the cluster."""
    if not found.name or not found.cluster_name:
        return ()
    key = keys.scoped("x509_serial", found.cluster_name, names.serial(found.name, "$.name"))
    return (Part(stage=Stage.REVOKE, key=key, effect="credential.revoke", object=found.reason),)
