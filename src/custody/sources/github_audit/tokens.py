"""Tokens and keys in the audit log: which one was presented, and the lifecycle of those that an event is about.

A token has two names: its SHA-256 (``hashed_token``) and its id (``token_id``). Only an event that issues it makes them
aliases. Where an event is about a token (``personal_access_token.…``), its token fields are that token's, not those
of the token that made the call, and the event is no use.
"""

from custody.model import github_subjects
from custody.model.events import Part, Stage
from custody.model.keys import scoped
from custody.sources.github_audit import records
from custody.sources.github_audit.records import Record
from custody.sources.github_audit.token_shapes import digest

_ABOUT_TOKENS = frozenset(
    ("personal_access_token", "oauth_access", "oauth_authorization", "org_credential_authorization")
)
_ISSUES = frozenset(("personal_access_token.create", "personal_access_token.access_granted", "oauth_access.create"))
_RENEWALS = frozenset(("personal_access_token.credential_regenerated", "oauth_access.regenerate"))
_REVOCATIONS = frozenset(
    (
        "personal_access_token.access_revoked", "personal_access_token.credential_revoked",
        "personal_access_token.destroy", "oauth_access.destroy", "oauth_access.revoke",
        "org_credential_authorization.revoke", "org_credential_authorization.deauthorize",
    )
)  # fmt: skip
_DECISIONS = {
    "personal_access_token.access_granted": "approval.grant",
    "personal_access_token.request_denied": "approval.deny",
}
_REQUESTS = {
    "personal_access_token.request_created": "approval.request",
    "personal_access_token.request_cancelled": "approval.withdraw",
}
_KEY_CATEGORIES = frozenset(("deploy_key", "public_key"))


def presented(record: Record) -> tuple[Part, ...]:
    """The use of the token that made the call, by its hash where the event has that, else by its id."""
    if record.category in _ABOUT_TOKENS:
        return ()
    known = _keys(record)
    population = "machine" if record.is_bot or record.programmatic_access_type == _SERVER_TOKEN else None
    return (Part(stage=Stage.USE, key=known[0], population=population),) if known else ()


_SERVER_TOKEN = "GitHub App server-to-server token"  # noqa: S105 - the name of a kind of token


def lifecycle(record: Record) -> tuple[Part, ...]:
    """What the event did to the token or key that it is about."""
    if record.category in _KEY_CATEGORIES:
        return _ssh(record)
    if record.category not in _ABOUT_TOKENS:
        return ()
    known = _keys(record)
    named = known[0] if known else None
    return (*_asked(record, named), *_decided(record, named), *(_done(record, known) if known else ()))


def _keys(record: Record) -> tuple[str, ...]:
    """Every key of the token in the event, the stronger first."""
    sha256, token_id = digest(record.hashed_token), records.text(record.token_id or None)
    by_hash = (scoped("github_token_sha256", github_subjects.SCOPE, sha256),) if sha256 else ()
    by_id = (_by_id(token_id),) if token_id else ()
    return by_hash + by_id


def _by_id(value: str) -> str:
    return scoped("github_token_id", github_subjects.SCOPE, value)


def _request(record: Record) -> str | None:
    number = record.programmatic_access_request_id or record.user_programmatic_access_request_id
    return scoped("approval", github_subjects.SCOPE, str(number)) if number else None


def _asked(record: Record, token: str | None) -> tuple[Part, ...]:
    request, effect = _request(record), _REQUESTS.get(record.action)
    if request is None or effect is None:
        return ()
    return (Part(stage=Stage.REQUEST, key=request, subject=record.user_key, effect=effect, object=token),)


def _decided(record: Record, token: str | None) -> tuple[Part, ...]:
    """A decision needs a request: access that needs no approval is granted under the same action without one."""
    request, effect = _request(record), _DECISIONS.get(record.action)
    if request is None or effect is None:
        return ()
    until = _expiry(record) if effect == "approval.grant" else None
    decision = Part(
        stage=Stage.APPROVE, key=request, subject=record.user_key, effect=effect, object=token, not_after=until
    )
    return (decision,)


def _expiry(record: Record) -> int | None:
    stated = records.moment(record.token_expires_at, "$.token_expires_at")
    return stated if stated is not None else records.moment(record.expires_at, "$.expires_at")


def _done(record: Record, known: tuple[str, ...]) -> tuple[Part, ...]:
    if record.action in _ISSUES:
        return _issue(record, known)
    if record.action in _RENEWALS:
        return (Part(stage=Stage.REFRESH, key=known[0], not_after=_expiry(record)),)
    if record.action in _REVOCATIONS:
        return tuple(Part(stage=Stage.REVOKE, key=key, effect="credential.revoke") for key in known[:1])
    if record.action == "org_credential_authorization.grant":
        return (Part(stage=Stage.CHANGE, key=known[0], effect="token.authorize", object=records.text(record.org)),)
    return ()


def _issue(record: Record, known: tuple[str, ...]) -> tuple[Part, ...]:
    """The token that access was given to, and its other name. Whoever approved is not whom it speaks for."""
    approved = _request(record) is not None and record.action in _DECISIONS
    owner = record.user or (None if approved else record.actor)
    first = Part(
        stage=Stage.ISSUE,
        key=known[0],
        subject=github_subjects.user_key(owner),
        session_name=record.user_programmatic_access_name,
        method=record.action,
        not_after=_expiry(record),
    )
    others = (Part(stage=Stage.ISSUE, key=key, method=record.action, alias=known[0]) for key in known[1:])
    return (first, *others)


def _ssh(record: Record) -> tuple[Part, ...]:
    """An SSH key that was added or taken away, by its fingerprint or id; without either the event is plain."""
    number = records.text(record.key_id)
    value = f"ssh/{record.fingerprint}" if record.fingerprint else f"key/{number}" if number else None
    operation = record.action.partition(".")[2]
    if value is None or operation not in ("create", "destroy", "delete"):
        return ()
    if operation != "create":
        return (Part(stage=Stage.REVOKE, key=_by_id(value), effect="credential.revoke", object=record.where),)
    owner = record.user_key if record.category == "public_key" else None
    return (Part(stage=Stage.ISSUE, key=_by_id(value), subject=owner, method=record.action, object=record.where),)
