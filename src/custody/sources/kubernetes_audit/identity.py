# ruff: noqa: N815 - fields have the names that they have in the log
"""Which audit event this is, and where its secrets are. The schemes are frozen.

``audit-id-stage/1``: the audit id with the stage, because each stage of a request is an event of its own. A client can
choose the audit id (header ``Audit-ID``): two events of one id and stage are a conflict, and neither wins.
``insert-id/1``: log name and insert id of a log entry (GKE). ``content/1``: the SHA-256 of the event without its
secrets, for copies that carry neither.
"""

from collections.abc import Sequence

import msgspec

from custody.model.records import Identity
from custody.sources import identities
from custody.sources.kubernetes_audit import secrets
from custody.sources.masking import mask

AUDIT_ID, INSERT_ID, CONTENT = "audit-id-stage/1", "insert-id/1", "content/1"
_NONE = msgspec.Raw(b"null")


class _Payload(msgspec.Struct, frozen=True, gc=False):
    serviceName: msgspec.Raw = _NONE
    methodName: msgspec.Raw = _NONE


class _Head(msgspec.Struct, frozen=True, gc=False):
    kind: msgspec.Raw = _NONE
    apiVersion: msgspec.Raw = _NONE
    verb: msgspec.Raw = _NONE
    auditID: msgspec.Raw = _NONE
    stage: msgspec.Raw = _NONE
    user: msgspec.Raw = _NONE
    logName: msgspec.Raw = _NONE
    insertId: msgspec.Raw = _NONE
    protoPayload: msgspec.Raw = _NONE


_HEAD = msgspec.json.Decoder(_Head)
_PAYLOAD = msgspec.json.Decoder(_Payload)
_STRING = msgspec.json.Decoder(str)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like an audit event, by its bytes alone."""
    if b"protoPayload" in raw:
        return b"k8s.io" in raw
    return b"verb" in raw and (b"auditID" in raw or (b"Event" in raw and b"user" in raw))


def document(raw: bytes) -> bytes | str:
    """The JSON object in ``raw``, taken out of its string where it stands in one (CloudWatch, Azure).

    Raises what msgspec raises for bytes that are no JSON string.
    """
    return _STRING.decode(raw) if raw[:1] == b'"' else raw


def identify(raw: bytes) -> Identity | None:
    """The identity and secrets of one record; None where it is no audit event. Raises nothing."""
    return identify_all((raw,))[0]


def identify_all(raws: Sequence[bytes]) -> list[Identity | None]:
    """``identify`` of many records: the screen for secrets runs over all of them in one pass."""
    return [_identity(raw, suspect) for raw, suspect in zip(raws, secrets.suspects(raws), strict=True)]


def _identity(raw: bytes, suspect: bool) -> Identity | None:
    try:
        head = _HEAD.decode(document(raw))
        scheme, text = _named(head) if is_event(head) else (None, None)
        if scheme is None:
            return None
        found = secrets.find(raw) if suspect else secrets.NOTHING
        known = identities.canonical(text) if text else _content(mask(raw, found.spans))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return Identity(scheme, known, found.spans, found.unsure)


def is_event(head: _Head) -> bool:
    """Whether the members of an object make it an audit event, or GKE's log entry of one."""
    if is_entry(head):
        return True
    if not _text(head.verb):
        return False
    if _text(head.kind) != "Event":  # the items of an EventList have no kind
        return bytes(head.kind) == b"null" and bool(_text(head.auditID)) and bool(_text(head.stage))
    group = (_text(head.apiVersion) or "").startswith("audit.k8s.io/")
    return group or bool(_text(head.auditID)) or bytes(head.user)[:1] == b"{"


def is_entry(head: _Head) -> bool:
    """Whether it is a log entry of GKE."""
    if bytes(head.protoPayload)[:1] != b"{":
        return False
    payload = _PAYLOAD.decode(head.protoPayload)
    method = _text(payload.methodName) or ""
    return bool(method) and (_text(payload.serviceName) == "k8s.io" or method.startswith("io.k8s."))


def head_of(text: bytes | str) -> _Head:
    """The members that tell what a record is; raises what msgspec raises."""
    return _HEAD.decode(text)


def _named(head: _Head) -> tuple[str, str | None]:
    if is_entry(head):
        log, entry = _text(head.logName), _text(head.insertId)
        return (INSERT_ID, f"{log}/{entry}") if log and entry else (CONTENT, None)
    audit = _text(head.auditID)
    return (AUDIT_ID, f"{audit}/{_text(head.stage) or '-'}") if audit else (CONTENT, None)


def _text(raw: msgspec.Raw) -> str | None:
    """The string in ``raw``; None for any other value and for an empty one."""
    return _STRING.decode(raw) or None if bytes(raw)[:1] == b'"' else None


def _content(kept: bytes) -> str:
    """The hash of the event without its secrets: nothing can be guessed by it, and the kept copy has the same."""
    text = document(kept)
    return identities.hashed(text.encode() if isinstance(text, str) else text)
