"""Errors as callers see them: RFC 9457 problem details, and on the token endpoint the errors of RFC 6749 section 5.2.

One table says which status an error of the tree has; the reason, a stable word, is what programs should look at.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from litestar.exceptions import HTTPException, ValidationException

from custody.errors import (
    ApprovalNeeded,
    BackendFailed,
    BrokerError,
    CustodyError,
    EvidenceUnavailable,
    IdentityRefused,
    IntentRefused,
    NotFound,
    PolicyDenied,
    StoreError,
    UsageError,
)

_BOTH = ("found", "expected")

PROBLEM = "application/problem+json"
TYPE = "urn:custody:problem:"
_LONGEST = 1000
"""Characters of a text that goes out."""


class Kind(msgspec.Struct, frozen=True):
    """How a kind of error is shown: status, title, the code of OAuth, and which of its two sides go out with it."""

    status: int
    title: str
    oauth: str
    sides: tuple[str, ...] = ()


KINDS: tuple[tuple[type[CustodyError], Kind], ...] = (
    (IdentityRefused, Kind(401, "Who asks is not proved", "invalid_request", ("expected",))),
    (IntentRefused, Kind(400, "This cannot be asked for so", "invalid_request", _BOTH)),
    (PolicyDenied, Kind(403, "Not allowed", "access_denied", _BOTH)),
    (ApprovalNeeded, Kind(409, "People have to approve first", "authorization_pending")),
    (BackendFailed, Kind(502, "The system that makes credentials failed", "server_error")),
    (EvidenceUnavailable, Kind(503, "Nothing can be sealed now", "temporarily_unavailable")),
    (BrokerError, Kind(503, "The broker gives no credential now", "temporarily_unavailable")),
    (NotFound, Kind(404, "Not found", "invalid_grant", ("expected",))),
    (UsageError, Kind(400, "This cannot be asked for so", "invalid_request", _BOTH)),
    (StoreError, Kind(503, "Nothing can be sealed now", "temporarily_unavailable")),
    (CustodyError, Kind(500, "It did not work", "server_error")),
)
"""The first that fits."""

REASONS: Mapping[str, Kind] = {
    "rate-limited": Kind(429, "Too many requests", "temporarily_unavailable", _BOTH),
    "too-large": Kind(413, "Too large", "invalid_request", _BOTH),
    "too-slow": Kind(408, "Too slow", "invalid_request", _BOTH),
    "content-type": Kind(415, "Not a media type that is taken here", "invalid_request", _BOTH),
    "content-encoding": Kind(415, "Not an encoding that is taken here", "invalid_request", _BOTH),
    "idempotency-key-used": Kind(422, "The key was used for another request", "invalid_request"),
    "idempotency-running": Kind(409, "The request with this key is not done yet", "invalid_request"),
    "standby": Kind(503, "Another instance issues", "temporarily_unavailable"),
    "busy": Kind(503, "Too much at once", "temporarily_unavailable"),
    "grant-type": Kind(400, "This cannot be asked for so", "unsupported_grant_type", _BOTH),
    "lapsed": Kind(403, "Not allowed", "expired_token"),
}
"""Reasons that say more than the kind of the error does."""

STATUS_TITLES: Mapping[int, tuple[str, str]] = {
    400: ("malformed", "Malformed"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "Not a method of this place"),
    413: ("too-large", "Too large"),
    415: ("content-type", "Not a media type that is taken here"),
}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457. ``instance`` is the trace id; ``reason`` the stable word, the last part of ``type``."""

    type: str
    title: str
    status: int
    detail: str = ""
    instance: str = ""
    reason: str = ""
    advice: str = ""
    request_id: str = ""


class OAuthError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 6749 section 5.2, with custody's reason, the trace id, and where to go on where people have to approve."""

    error: str
    error_description: str = ""
    reason: str = ""
    trace: str = ""
    request_id: str = ""
    interval: int = 0
    uri: str = ""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is no success, in neither form yet."""

    status: int
    reason: str
    title: str
    oauth: str
    detail: str = ""
    advice: str = ""
    request_id: str = ""

    def problem(self, trace: str) -> bytes:
        """As problem details."""
        return msgspec.json.encode(
            Problem(
                type=TYPE + self.reason,
                title=self.title,
                status=self.status,
                detail=self.detail,
                instance=trace,
                reason=self.reason,
                advice=self.advice,
                request_id=self.request_id,
            )
        )


def refusal_of(error: CustodyError) -> Refusal:
    """How an error of the tree is shown."""
    reason = error.reason if isinstance(error, BrokerError) else _word(error)
    kind = REASONS.get(reason) or next(kind for of, kind in KINDS if isinstance(error, of))
    sides = {"found": error.found, "expected": error.expected}
    told = ", ".join(f"{name} {sides[name]}" for name in kind.sides if sides[name])
    needed = isinstance(error, ApprovalNeeded)
    return Refusal(
        status=kind.status,
        reason=reason,
        title=kind.title,
        oauth=_code(kind.oauth, reason) if isinstance(error, IntentRefused) else kind.oauth,
        detail=shown(f"{error.message} ({told})" if told and not needed else error.message),
        advice=shown(error.advice),
        request_id=error.found if needed else "",
    )


def refusal_of_http(error: HTTPException) -> Refusal:
    """How an error of the routing or of the reading of a request is shown. Its text quotes nothing but field names."""
    status = error.status_code if error.status_code in STATUS_TITLES else 400
    reason, title = STATUS_TITLES[status]
    detail = _fields(error) if isinstance(error, ValidationException) else ""
    return Refusal(status=status, reason=reason, title=title, oauth="invalid_request", detail=detail)


def unforeseen() -> Refusal:
    """How an error that nobody foresaw is shown: not at all, but for the trace id."""
    return Refusal(status=500, reason="unforeseen", title="It did not work", oauth="server_error")


def shown(told: str) -> str:
    """A text that goes out: without characters that do not print, and of bounded length."""
    clean = told if told.isprintable() else "".join(each if each.isprintable() else " " for each in told)
    return clean[:_LONGEST]


def described(told: str) -> str:
    """A text in the characters that RFC 6749 allows in ``error_description``."""
    plain = told.replace('"', "'").replace("\\", "/").replace("…", "...").replace("’", "'")
    return "".join(each if " " <= each <= "~" else "?" for each in plain)


def _word(error: CustodyError) -> str:
    """The reason of an error that has none: the name of its class in words."""
    name = type(error).__name__
    return "".join(f"-{each.lower()}" if each.isupper() else each for each in name).lstrip("-")


def _code(code: str, reason: str) -> str:
    """RFC 8693 and RFC 9396 have codes of their own for what is wrong with a target, a scope and the details."""
    if code != "invalid_request":
        return code
    if "scope" in reason:
        return "invalid_scope"
    if "resource" in reason or "audience" in reason or "target" in reason:
        return "invalid_target"
    return "invalid_authorization_details" if "details" in reason else code


def _fields(error: ValidationException) -> str:
    """Which fields are wrong, and how."""
    if not isinstance(error.extra, list):
        return ""
    named = [each for each in error.extra if isinstance(each, dict)]
    return shown("; ".join(f"{each.get('key', 'body')}: {each.get('message', '')}" for each in named))
