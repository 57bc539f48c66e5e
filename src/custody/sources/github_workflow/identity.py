"""Which delivery or object this is, of which kind, and where its secrets are. Frozen as scheme ``delivery/1``.

The identity is the delivery's GUID where the record has it (``delivery``, header ``X-GitHub-Delivery``); GitHub sends a
delivery again under the same one. Payloads and REST objects have none: then it is the hash of the record with its
secrets masked, so that the kept copy has the same.
"""

from enum import StrEnum

import msgspec

from custody.model.records import Identity
from custody.sources import identities, masking
from custody.sources.github_audit import token_shapes

SCHEME = "delivery/1"
ISSUER = "https://token.actions.githubusercontent.com"
_SERVER_ISSUER = "/_services/token"
_DELIVERY, _EVENT = "x-github-delivery", "x-github-event"
_NONE = msgspec.Raw(b"")


class Kind(StrEnum):
    """What a payload is, by its members."""

    RUN = "workflow_run"
    JOB = "workflow_job"
    REVIEW = "deployment_review"
    RULE = "deployment_protection_rule"
    DEPLOYMENT = "deployment"
    DEPLOYMENT_STATUS = "deployment_status"
    ALERT = "secret_scanning_alert"
    ALERT_LOCATION = "secret_scanning_alert_location"
    RUN_OBJECT = "run object"
    JOB_OBJECT = "job object"
    APPROVAL_OBJECT = "approval object"
    CLAIMS = "token claims"


class _Probe(msgspec.Struct, frozen=True, gc=False):
    """The members that tell the kinds apart, of whatever type."""

    action: msgspec.Raw = _NONE
    workflow_run: msgspec.Raw = _NONE
    workflow_job: msgspec.Raw = _NONE
    workflow_job_run: msgspec.Raw = _NONE
    workflow_job_runs: msgspec.Raw = _NONE
    approver: msgspec.Raw = _NONE
    requestor: msgspec.Raw = _NONE
    requester: msgspec.Raw = _NONE
    reviewers: msgspec.Raw = _NONE
    deployment: msgspec.Raw = _NONE
    deployment_status: msgspec.Raw = _NONE
    deployment_callback_url: msgspec.Raw = _NONE
    alert: msgspec.Raw = _NONE
    location: msgspec.Raw = _NONE
    repository: msgspec.Raw = _NONE
    sender: msgspec.Raw = _NONE
    id: msgspec.Raw = _NONE
    run_id: msgspec.Raw = _NONE
    run_url: msgspec.Raw = _NONE
    run_number: msgspec.Raw = _NONE
    workflow_id: msgspec.Raw = _NONE
    started_at: msgspec.Raw = _NONE
    head_sha: msgspec.Raw = _NONE
    environments: msgspec.Raw = _NONE
    state: msgspec.Raw = _NONE
    user: msgspec.Raw = _NONE
    iss: msgspec.Raw = _NONE
    sub: msgspec.Raw = _NONE
    jti: msgspec.Raw = _NONE
    secret_type: msgspec.Raw = _NONE


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    """A delivery as its receiver keeps it."""

    payload: msgspec.Raw = _NONE
    event: msgspec.Raw = _NONE
    delivery: msgspec.Raw = _NONE
    headers: msgspec.Raw = _NONE


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """What a record holds: the payload as JSON, its kind, and the GUID of its delivery where there is one."""

    kind: Kind
    payload: bytes
    guid: str | None = None


_PROBE = msgspec.json.Decoder(_Probe)
_ENVELOPE = msgspec.json.Decoder(_Envelope)
_TEXT = msgspec.json.Decoder(str)
_HEADERS = msgspec.json.Decoder(dict[str, str | list[str] | int | None])
_OF_WORKFLOWS = tuple(f'"workflow_{name}"'.encode() for name in ("run", "job", "job_run", "job_runs", "id"))
MARKS = tuple(f'"{name}"'.encode() for name in ("deployment", "secret_type", "run_url", "environments", "jti"))


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like a delivery or object of Actions, by its bytes alone."""
    if b'"workflow_' in raw and any(mark in raw for mark in _OF_WORKFLOWS):
        return True
    for mark in MARKS:
        if mark in raw:
            return True
    return b'"payload"' in raw and b'\\"' in raw


def identify(raw: bytes) -> Identity | None:
    """The identity and secrets of one record; None where it is none of this source. Raises nothing."""
    try:
        delivery = delivery_of(raw)
        if delivery is None:
            return None
        found = token_shapes.find(raw)
        named = identities.canonical(delivery.guid) if delivery.guid else None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return Identity(SCHEME, named or identities.hashed(masking.mask(raw, found.spans)), found.spans, found.unsure)


def delivery_of(raw: bytes) -> Delivery | None:
    """What ``raw`` holds, None where it is nothing of this source. Raises what msgspec raises for other JSON."""
    envelope = _ENVELOPE.decode(raw)
    payload = bytes(envelope.payload)
    if payload[:1] == b'"':
        payload = _TEXT.decode(payload).encode()
    if payload[:1] != b"{":
        kind = kind_of(raw)
        return None if kind is None else Delivery(kind, raw)
    kind = kind_of(payload)
    headers = _headers(envelope.headers)
    marked = bytes(envelope.event) or bytes(envelope.delivery) or _EVENT in headers
    guid = _text(envelope.delivery) or headers.get(_DELIVERY)
    return Delivery(kind, payload, guid) if kind is not None and marked else None


def _headers(raw: msgspec.Raw) -> dict[str, str]:
    """Header names in lower case, with their first value; nothing where they are kept in another way."""
    if bytes(raw)[:1] != b"{":
        return {}
    try:
        found = _HEADERS.decode(raw)
    except msgspec.ValidationError:
        return {}
    first = {name.lower(): value[0] if isinstance(value, list) and value else value for name, value in found.items()}
    return {name: value for name, value in first.items() if isinstance(value, str)}


def _text(raw: msgspec.Raw) -> str | None:
    return _TEXT.decode(raw) if bytes(raw)[:1] == b'"' else None


def kind_of(payload: bytes) -> Kind | None:
    """The kind of a payload or object, None for all others. Raises what msgspec raises for what is no object."""
    probe = _PROBE.decode(payload)
    if _is_claims(probe):
        return Kind.CLAIMS
    if _is(probe.repository, b"{") and (bytes(probe.action) or _is(probe.deployment, b"{")):
        return _webhook(probe)
    return _object(probe)


def _is(raw: msgspec.Raw, opening: bytes) -> bool:
    return bytes(raw)[:1] == opening


def _webhook(probe: _Probe) -> Kind | None:
    reviewed = (
        probe.approver, probe.requestor, probe.requester, probe.reviewers, probe.workflow_job_run,
        probe.workflow_job_runs,
    )  # fmt: skip
    if _is(probe.alert, b"{") and _PROBE.decode(probe.alert).secret_type:
        return Kind.ALERT_LOCATION if _is(probe.location, b"{") else Kind.ALERT
    if _is(probe.workflow_job, b"{"):
        return Kind.JOB
    if _is(probe.deployment_callback_url, b'"'):
        return Kind.RULE
    if _is(probe.workflow_run, b"{") and any(bytes(one) not in (b"", b"null") for one in reviewed):
        return Kind.REVIEW
    if _is(probe.deployment_status, b"{"):
        return Kind.DEPLOYMENT_STATUS
    if _is(probe.deployment, b"{"):
        return Kind.DEPLOYMENT
    return Kind.RUN if _is(probe.workflow_run, b"{") else None


def _object(probe: _Probe) -> Kind | None:
    """A REST object: it has no action, and ids that only GitHub writes beside each other."""
    if bytes(probe.action):
        return None
    if bytes(probe.id) and bytes(probe.run_number) and bytes(probe.workflow_id) and bytes(probe.head_sha):
        return Kind.RUN_OBJECT
    if bytes(probe.id) and bytes(probe.run_id) and bytes(probe.run_url) and bytes(probe.started_at):
        return Kind.JOB_OBJECT
    if _is(probe.environments, b"[") and _is(probe.state, b'"') and _is(probe.user, b"{"):
        return Kind.APPROVAL_OBJECT
    return None


def _is_claims(probe: _Probe) -> bool:
    """Claims of a token of Actions: of GitHub's issuer, an enterprise's below it, or a server's own."""
    if not (_is(probe.iss, b'"') and _is(probe.sub, b'"') and _is(probe.jti, b'"') and bytes(probe.run_id)):
        return False
    issuer = _TEXT.decode(probe.iss)
    return issuer == ISSUER or issuer.startswith(f"{ISSUER}/") or issuer.endswith(_SERVER_ISSUER)
