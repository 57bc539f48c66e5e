"""An audit event's typed meaning.

The last stage of a request (``ResponseComplete``, ``Panic``) is a use of the credential presented, and, where the call
succeeded, what it did to other credentials and principals: one part each. ``ResponseStarted`` (watches, logs, shells)
is the opening of a stream, ``RequestReceived`` an event without parts: every action would be counted twice.
"""

import msgspec

from custody.model.events import Event, Outcome, Part, Skip, Stage
from custody.sources.decoding import told
from custody.sources.kubernetes_audit import certificates, gke, grants, lifecycle, principals, tokens
from custody.sources.kubernetes_audit.call import Call
from custody.sources.kubernetes_audit.identity import document, head_of, identify, is_entry
from custody.sources.kubernetes_audit.moments import time_at
from custody.sources.kubernetes_audit.records import ObjectRef, Record, Status, User
from custody.sources.kubernetes_audit.tags import tags

_RECORD = msgspec.json.Decoder(Record)
_ENTRY = msgspec.json.Decoder(gke.Entry)
_NOBODY, _NOTHING, _NO_STATUS = User(), ObjectRef(), Status()
_DENIED = (401, 403)


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The event of a kept record, or why there is none. Raises nothing; the bytes themselves tell the form."""
    return told(lambda: _read(kept))


def _read(kept: bytes) -> tuple[Event, ...]:
    text = document(kept)
    if is_entry(head_of(text)):
        entry = _ENTRY.decode(text)
        name = f"{entry.logName}/{entry.insertId}" if entry.logName and entry.insertId else _content_id(kept)
        return (_event(name, gke.record(entry), entry),)
    record = _RECORD.decode(text)
    name = f"{record.auditID}/{record.stage or '-'}" if record.auditID else _content_id(kept)
    return (_event(name, record, None),)


def _content_id(kept: bytes) -> str:
    known = identify(kept)
    return known.id if known else ""


def _event(name: str, record: Record, entry: gke.Entry | None) -> Event:
    who, about = record.user or _NOBODY, record.objectRef or _NOTHING
    scope = gke.scope(entry) if entry else principals.UNNAMED
    status = record.responseStatus or _NO_STATUS
    outcome = _outcome(record, status)
    call = Call(
        record=record,
        about=about,
        scope=scope,
        principal=principals.principal(who.username, scope),
        credential=principals.presented(who, scope),
    )
    return Event(
        id=name,
        time=_time(record, "$.timestamp" if entry else "$.requestReceivedTimestamp"),
        service=about.apiGroup or ("core.k8s.io" if about.resource else "k8s.io"),
        action=f"{record.verb} {call.kind or _path(record)}".rstrip(),
        outcome=outcome,
        parts=_parts(call, outcome),
        error=None if outcome is Outcome.SUCCESS else status.reason or (str(status.code) if status.code else None),
        account=entry.label("project_id") if entry else None,
        region=entry.label("location") if entry else None,
        category=record.level,
        origin=record.sourceIPs[-1] if record.sourceIPs else None,
        agent=record.userAgent,
        principal=call.principal,
        principal_id=who.uid,
        principal_kind=principals.kind(who.username),
        session=principals.told(who.extra, "arn"),
        request_id=record.auditID,
        resource=grants.place(about.resource, about.name or "*", about.namespace) or _path(record) or None,
        tags=tags(call),
        policy=call.annotation("authorization.k8s.io/reason"),
    )


def _time(record: Record, where: str) -> int:
    """When the request was received: a watch ends minutes later."""
    return time_at(record.requestReceivedTimestamp or record.stageTimestamp, where)


def _path(record: Record) -> str:
    return (record.requestURI or "").partition("?")[0]


def _outcome(record: Record, status: Status) -> Outcome:
    """A refusal is not an error: it proves that the check was made. What no stage has told yet has not failed."""
    decision = (record.annotations or {}).get(gke.DECISION)
    if decision == "forbid" or status.code in _DENIED or status.reason in ("Forbidden", "Unauthorized"):
        return Outcome.DENIED
    failed = (status.code or 0) >= 400 or status.status == "Failure" or record.stage == "Panic"
    return Outcome.ERROR if failed else Outcome.SUCCESS


def _parts(call: Call, outcome: Outcome) -> tuple[Part, ...]:
    if call.record.stage == "RequestReceived":
        return ()
    if call.record.stage == "ResponseStarted":
        return _use(call, "stream.open")
    done = _done(call) if outcome is Outcome.SUCCESS and "dryRun=" not in (call.record.requestURI or "") else ()
    return _use(call, None) + _impersonated(call) + done


def _use(call: Call, effect: str | None) -> tuple[Part, ...]:
    """The use; ``related`` is the pod that the server found the token to be bound to."""
    if call.credential is None:
        return ()
    who = call.record.user or _NOBODY
    own = not call.credential.startswith("aws_akid:")
    return (
        Part(
            stage=Stage.USE,
            key=call.credential,
            effect=effect,
            related=principals.pod(principals.told(who.extra, principals.POD_UID)),
            population=principals.population(who.username) if own else None,
        ),
    )


def _impersonated(call: Call) -> tuple[Part, ...]:
    """The server has let the user act as another: the principal of the event stays who it really was."""
    other = call.record.impersonatedUser
    if other is None or call.principal is None:
        return ()
    target = call.principal_of(other.username)
    return (Part(stage=Stage.CHANGE, key=call.principal, effect="impersonate", object=target),)


def _done(call: Call) -> tuple[Part, ...]:
    """What a successful call did, beyond being a use."""
    match call.record.verb, call.kind:
        case "create", "serviceaccounts/token":
            return tokens.request(call)
        case "create", "tokenreviews":
            return tokens.review(call)
        case "create", "secrets":
            return tokens.secret(call)
        case "create" | "update" | "patch" | "delete" | "deletecollection", kind:
            return _changed(call, kind)
    return ()


def _changed(call: Call, kind: str) -> tuple[Part, ...]:
    match call.record.verb, kind:
        case _, "roles" | "clusterroles" | "rolebindings" | "clusterrolebindings":
            return grants.parts(call)
        case "create", "certificatesigningrequests":
            return certificates.create(call)
        case "update" | "patch", "certificatesigningrequests/approval":
            return certificates.decide(call)
        case "update" | "patch", "certificatesigningrequests/status":
            return certificates.sign(call)
    return _lived(call, kind)


def _lived(call: Call, kind: str) -> tuple[Part, ...]:
    match call.record.verb, kind:
        case "create", "pods":
            return lifecycle.pod_created(call)
        case "create", "pods/binding" | "bindings":
            return lifecycle.pod_bound(call)
        case "create", "pods/eviction":
            return lifecycle.pod_evicted(call)
        case "delete", "pods":
            return lifecycle.pod_deleted(call)
        case "deletecollection", "pods":
            return lifecycle.pods_deleted(call)
        case "create", "serviceaccounts":
            return lifecycle.account_created(call)
        case "delete", "serviceaccounts":
            return lifecycle.account_deleted(call)
        case "deletecollection", "serviceaccounts":
            return lifecycle.accounts_deleted(call)
        case "delete", "nodes":
            return lifecycle.node_deleted(call)
    return ()
