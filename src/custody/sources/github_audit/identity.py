"""Which audit log event this is, and where its secrets are. Frozen as scheme ``document-id/1``.

The identity is ``_document_id``. Copies of other tools leave it out: then it is the hash of the record with its
secrets masked, so that the kept copy has the same.
"""

import re

import msgspec

from custody.model.records import Identity
from custody.sources import identities, masking
from custody.sources.github_audit import token_shapes

SCHEME = "document-id/1"
LOG_TYPE = "GitHub.Audit"
_ACTION = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+")
_ABSENT = msgspec.Raw(b"")


class _Head(msgspec.Struct, frozen=True, gc=False, rename={"document": "_document_id", "at": "@timestamp"}):
    """What makes a JSON object an audit log event."""

    action: str
    document: str | None = None
    at: msgspec.Raw = _ABSENT
    at_sign_timestamp: msgspec.Raw = _ABSENT
    programmatic_access_type: msgspec.Raw = _ABSENT
    p_log_type: str | None = None
    actor: msgspec.Raw = _ABSENT
    org: msgspec.Raw = _ABSENT
    repo: msgspec.Raw = _ABSENT
    business: msgspec.Raw = _ABSENT


_HEAD = msgspec.json.Decoder(_Head)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like an audit log event, by its bytes alone."""
    return b'"action"' in raw and any(mark in raw for mark in _MARKS)


_MARKS = (b'"_document_id"', b'timestamp"', b'"programmatic_access_type"', LOG_TYPE.encode())


def identify(raw: bytes) -> Identity | None:
    """The identity and secrets of one record; None where it is no event of GitHub's audit log. Raises nothing."""
    try:
        head = _HEAD.decode(raw)
        if not _is_event(head):
            return None
        found = token_shapes.find(raw)
        named = identities.canonical(head.document) if head.document else None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return Identity(SCHEME, named or identities.hashed(masking.mask(raw, found.spans)), found.spans, found.unsure)


def _is_event(head: _Head) -> bool:
    """An action in dotted words, and a field that only GitHub's log has; its time alone is not enough."""
    if _ACTION.fullmatch(head.action) is None:
        return False
    if head.document or head.p_log_type == LOG_TYPE or bytes(head.programmatic_access_type):
        return True
    timed = bytes(head.at)[:1].isdigit() or bool(bytes(head.at_sign_timestamp))
    return timed and any(bytes(one) for one in (head.actor, head.org, head.repo, head.business))
