# ruff: noqa: N815 - fields have the names that they have in the log
"""GKE: audit events as Google Cloud writes them, log entries with an ``AuditLog`` as ``protoPayload``.

The entry is turned into the audit event that it was made from, as far as it tells: the method's name holds resource and
verb, ``labels`` the annotations. User, groups and ``user.extra`` are reduced to ``principalEmail``, so no credential id
arrives. The cluster is named, which an audit event itself never does.
"""

import re

import msgspec

from custody.sources.kubernetes_audit.principals import UNNAMED
from custody.sources.kubernetes_audit.records import NOTHING, ObjectRef, Record, Status, User

_METHOD = re.compile(r"(.+)\.(v[0-9]+(?:(?:alpha|beta)[0-9]+)?)\.([^.]+)(?:\.([^.]+))?\.([^.]+)")
_CODES = {0: 200, 3: 400, 5: 404, 6: 409, 7: 403, 16: 401}
_FAILED = 500
DECISION = "authorization.k8s.io/decision"


class AuthenticationInfo(msgspec.Struct, frozen=True, gc=False):
    """Who acted."""

    principalEmail: str | None = None
    authoritySelector: str | None = None


class AuthorizationInfo(msgspec.Struct, frozen=True, gc=False):
    """One permission that was checked; ``granted`` is left out where it was not."""

    granted: bool | None = None


class RequestMetadata(msgspec.Struct, frozen=True, gc=False):
    """Where the call came from; copies spell the address in two ways."""

    callerIp: str | None = None
    callerIP: str | None = None
    callerSuppliedUserAgent: str | None = None


class EntryStatus(msgspec.Struct, frozen=True, gc=False):
    """How the call ended: a ``google.rpc`` code."""

    code: int | None = None
    message: str | None = None


class Payload(msgspec.Struct, frozen=True, gc=False):
    """The AuditLog."""

    methodName: str
    resourceName: str | None = None
    authenticationInfo: AuthenticationInfo | None = None
    authorizationInfo: list[AuthorizationInfo] | None = None
    requestMetadata: RequestMetadata | None = None
    status: EntryStatus | None = None
    request: msgspec.Raw = NOTHING
    response: msgspec.Raw = NOTHING


class Operation(msgspec.Struct, frozen=True, gc=False):
    """The long-running call that an entry belongs to: its id is the audit id of the cluster."""

    id: str | None = None
    first: bool | None = None
    last: bool | None = None


class Resource(msgspec.Struct, frozen=True, gc=False):
    """The cluster."""

    labels: dict[str, str] | None = None


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A log entry."""

    protoPayload: Payload
    logName: str | None = None
    insertId: str | None = None
    timestamp: str | None = None
    labels: dict[str, str] | None = None
    operation: Operation | None = None
    resource: Resource | None = None

    def label(self, name: str) -> str | None:
        """A label of the cluster."""
        return ((self.resource or Resource()).labels or {}).get(name) or None


def scope(entry: Entry) -> str:
    """The cluster as project/location/name, ``-`` where the entry does not name it."""
    name = entry.label("cluster_name")
    return "/".join(filter(None, (entry.label("project_id"), entry.label("location"), name))) if name else UNNAMED


def record(entry: Entry) -> Record:
    """The audit event that a log entry was made from, as far as it tells."""
    payload, operation = entry.protoPayload, entry.operation or Operation()
    who, where = payload.authenticationInfo or AuthenticationInfo(), payload.requestMetadata or RequestMetadata()
    found = _METHOD.fullmatch(payload.methodName)
    origin = where.callerIp or where.callerIP
    return Record(
        verb=found[5] if found else payload.methodName,
        auditID=operation.id,
        stage="ResponseStarted" if operation.first and not operation.last else "ResponseComplete",
        user=User(username=who.principalEmail or who.authoritySelector),
        sourceIPs=[origin] if origin else None,
        userAgent=where.callerSuppliedUserAgent,
        objectRef=_about(found[3], found[4], payload.resourceName) if found else None,
        responseStatus=_status(payload.status),
        requestObject=payload.request,
        responseObject=payload.response,
        requestReceivedTimestamp=entry.timestamp,
        annotations=_annotations(entry),
    )


def _about(resource: str, subresource: str | None, path: str | None) -> ObjectRef:
    """The object by the method's name and the path: ``group/version[/namespaces/NAMESPACE]/resource[/name[/sub]]``."""
    steps = (path or "").split("/")
    group = steps[0] if len(steps) > 1 and steps[0] != "core" else None
    rest, namespace = steps[2:], None
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    name = rest[1] if len(rest) > 1 else None
    return ObjectRef(resource=resource, subresource=subresource, namespace=namespace, name=name, apiGroup=group)


def _status(status: EntryStatus | None) -> Status | None:
    if status is None or status.code is None:
        return None
    return Status(code=_CODES.get(status.code, _FAILED), reason=status.message)


def _annotations(entry: Entry) -> dict[str, str]:
    """The labels; a permission that was not granted is a decision, where no label tells one."""
    checked = entry.protoPayload.authorizationInfo or []
    refused = any(not one.granted for one in checked)
    told = entry.labels or {}
    return told if DECISION in told or not refused else {**told, DECISION: "forbid"}
