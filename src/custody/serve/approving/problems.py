"""Errors as problem details (RFC 9457): one table from the tree of errors to statuses."""

from __future__ import annotations

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from custody.errors import (
    CustodyError,
    IdentityRefused,
    IntentRefused,
    NotFound,
    PolicyDenied,
    StoreLocked,
    UsageError,
)

Asked = Request[object, object, State]

PROBLEM = "application/problem+json"

STATUSES: tuple[tuple[type[CustodyError], int, str], ...] = (
    (IdentityRefused, 401, "not-signed-in"),
    (PolicyDenied, 403, "not-allowed"),
    (NotFound, 404, "not-found"),
    (IntentRefused, 409, "refused"),
    (UsageError, 409, "wrong-digest"),
    (StoreLocked, 503, "busy"),
)
MALFORMED = ("reason-or-time", "until", "malformed")
"""Reasons that say that the message itself is wrong."""

HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 408: {"Connection": "close"}, 503: {"Retry-After": "1"}}


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A problem detail."""

    type: str
    title: str
    status: int
    detail: str = ""


def refused(_: Asked, error: CustodyError) -> Response[bytes]:
    """An error of the tree. What a store is damaged by is not for callers: it is said to whoever runs the service."""
    status, word = next(((code, each) for kind, code, each in STATUSES if isinstance(error, kind)), (500, "store"))
    reason = str(getattr(error, "reason", word))
    if status == 500:
        return problem(500, "store", "the store cannot be used")
    if reason in MALFORMED:
        status = 422
    if reason == "too-slow":
        status = 408
    headers = HEADERS.get(status, {})
    return problem(status, reason, error.message, str(error), headers)


def protocol(_: Asked, error: HTTPException) -> Response[bytes]:
    """An error of HTTP itself: no such route, method or media type, a body that is too long or not what it has to be.

    What was sent is not repeated.
    """
    words = {400: "malformed", 404: "not-found", 405: "method", 413: "too-long", 415: "media-type"}
    word = words.get(error.status_code, "refused" if error.status_code < 500 else "internal")
    titles = {"malformed": "the message is not what it has to be", "internal": "something went wrong"}
    return problem(error.status_code, word, titles.get(word, word.replace("-", " ")), "", error.headers or {})


def unexpected(_: Asked, __: Exception) -> Response[bytes]:
    """Any other error: nothing about it is said to the caller."""
    return problem(500, "internal", "something went wrong")


def problem(
    status: int, reason: str, title: str, detail: str = "", headers: dict[str, str] | None = None
) -> Response[bytes]:
    """The response that says what is wrong; ``reason`` is its stable word."""
    found = Problem(type=f"urn:custody:problem:{reason}", title=title, status=status, detail=detail)
    return Response(msgspec.json.encode(found), status_code=status, media_type=PROBLEM, headers=headers or {})
