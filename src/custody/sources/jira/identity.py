# ruff: noqa: N815 - fields have the names that they have in the log
"""Which Jira record this is, and where its secrets and free texts are.

Frozen as schemes ``jira-webhook/1`` and ``jira-approval/1``. A webhook's body has no id of its own: site, event, issue,
time, and the changelog's or comment's id name it. An approval is a state of a thing that changes: the hash of what it
says names it.
"""

import hashlib

import msgspec

from custody.model.records import Identity
from custody.sources import pasted_secrets
from custody.sources.jira import texts
from custody.sources.jira.records import site
from custody.sources.secret_spans import Found

WEBHOOK_SCHEME = "jira-webhook/1"
APPROVAL_SCHEME = "jira-approval/1"
WEBHOOK_MARK = b'"webhookEvent"'
APPROVAL_MARK = b'"finalDecision"'
_ABSENT = msgspec.Raw(b"null")


class _Body(msgspec.Struct, frozen=True, gc=False):
    """A webhook's body as far as its name goes, of whatever types the rest is."""

    webhookEvent: str
    timestamp: msgspec.Raw = _ABSENT
    issue: msgspec.Raw = _ABSENT
    changelog: msgspec.Raw = _ABSENT
    comment: msgspec.Raw = _ABSENT


class _Thing(msgspec.Struct, frozen=True, gc=False):
    """An issue, changelog or comment as far as it has a name."""

    id: str | int | None = None
    key: str | None = None
    address: str | None = msgspec.field(name="self", default=None)


class _Answer(msgspec.Struct, frozen=True, gc=False):
    """An approval, or a page of them."""

    finalDecision: msgspec.Raw = _ABSENT
    values: msgspec.Raw = _ABSENT


_BODY = msgspec.json.Decoder(_Body)
_THING = msgspec.json.Decoder(_Thing | None)
_ANSWER = msgspec.json.Decoder(_Answer)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like a webhook's body or an approval, by its bytes alone."""
    return WEBHOOK_MARK in raw or APPROVAL_MARK in raw


def identify(raw: bytes) -> Identity | None:
    """The identity and secrets of one record; None where it is none of Jira's. Raises nothing."""
    if WEBHOOK_MARK in raw:
        return pasted_secrets.identified(WEBHOOK_SCHEME, raw, _webhook, secrets)
    return pasted_secrets.identified(APPROVAL_SCHEME, raw, _approval, secrets)


def secrets(raw: bytes) -> Found:
    """The secrets of a record, and its free texts, which may hold anything."""
    return pasted_secrets.find(raw, texts=texts.find)


def _webhook(raw: bytes) -> str | None:
    """The name of a webhook's body; of one without issue or time its hash is the name."""
    body = _BODY.decode(raw)
    if not body.webhookEvent:
        return None
    issue, changelog, comment = (_thing(part) for part in (body.issue, body.changelog, body.comment))
    number, time = issue.id or issue.key, bytes(body.timestamp)
    if number is None or not time.isdigit():
        return f"{body.webhookEvent} {_hash(raw)}"
    return f"{site(issue.address)} {body.webhookEvent} {number} {time.decode()} {changelog.id or comment.id or '-'}"


def _thing(raw: msgspec.Raw) -> _Thing:
    try:
        return _THING.decode(raw) or _Thing()
    except msgspec.ValidationError:
        return _Thing()


def _approval(raw: bytes) -> str | None:
    answer = _ANSWER.decode(raw)
    if bytes(answer.finalDecision)[:1] == b'"':
        return f"approval {_hash(raw)}"
    page = bytes(answer.values)[:1] == b"[" and APPROVAL_MARK in bytes(answer.values)
    return f"approvals {_hash(raw)}" if page else None


def _hash(raw: bytes) -> str:
    """SHA-256 over the JSON value, members sorted, so that white space makes no other record."""
    return hashlib.sha256(msgspec.json.encode(msgspec.json.decode(raw), order="sorted")).hexdigest()
