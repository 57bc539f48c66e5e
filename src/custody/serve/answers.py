"""Turns errors into answers: the handlers of Litestar, and the same for what is refused before any route is found."""

from __future__ import annotations

from contextlib import suppress

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.types import HTTPReceiveMessage, Scope, Send

from custody.errors import ApprovalNeeded, CustodyError
from custody.serve.lines import Journalist
from custody.serve.metrics import METHODS
from custody.serve.passage import Passage, passage_of
from custody.serve.problems import (
    PROBLEM,
    OAuthError,
    Refusal,
    described,
    refusal_of,
    refusal_of_http,
    unforeseen,
)

TOKEN = "/token"  # noqa: S105  # a path
JSON = "application/json"
INTERVAL = 5
"""Seconds that a workload should wait before it asks again whether people approved."""

_RETRY = {503: 2, 429: 1, 502: 5}
"""Seconds of ``Retry-After`` where nothing better is known."""


def render(refusal: Refusal, passage: Passage, *, oauth: bool, approvals: str = "") -> tuple[bytes, dict[str, str]]:
    """The body of an answer, and its headers."""
    passage.reason = refusal.reason
    body = _oauth(refusal, passage, approvals) if oauth else refusal.problem(passage.trace.id)
    headers = {"content-type": JSON if oauth else PROBLEM}
    if refusal.status in _RETRY:
        headers["retry-after"] = str(passage.retry or _RETRY[refusal.status])
    if refusal.status == 401 and not oauth:
        headers["www-authenticate"] = "Bearer"
    if refusal.status in (408, 413):
        headers["connection"] = "close"
    return body, headers


def oauth_status(status: int) -> int:
    """The status on the token endpoint: 400 for all that the caller can put right (RFC 6749, 8628 and 8693)."""
    return 400 if status in (401, 403, 404, 409, 422) else status


def _oauth(refusal: Refusal, passage: Passage, approvals: str) -> bytes:
    pending = refusal.request_id
    error = OAuthError(
        error=refusal.oauth,
        error_description=described(refusal.detail or refusal.title),
        reason=refusal.reason,
        trace=passage.trace.id,
        request_id=pending,
        interval=INTERVAL if pending else 0,
        uri=f"{approvals.rstrip('/')}/requests/{pending}" if pending and approvals else "",
    )
    return msgspec.json.encode(error)


class Answers:
    """The exception handlers of the application."""

    def __init__(self, journalist: Journalist, approvals: str) -> None:
        self._journalist = journalist
        self._approvals = approvals

    def custody(self, request: Request[object, object, State], error: CustodyError) -> Response[bytes]:
        """An error of the tree."""
        passage = passage_of(request.scope)
        if isinstance(error, ApprovalNeeded):
            passage.request = error.found
        return self._response(request, refusal_of(error))

    def http(self, request: Request[object, object, State], error: HTTPException) -> Response[bytes]:
        """A route, method or field that does not exist or fit; Litestar's own failures are unforeseen."""
        if error.status_code >= 500:
            return self.unforeseen(request, error)
        answer = self._response(request, refusal_of_http(error))
        if error.status_code == 405:
            answer.headers["allow"] = ", ".join(_allowed(request))
        return answer

    def unforeseen(self, request: Request[object, object, State], error: Exception) -> Response[bytes]:
        """Anything else: told to the log, with the trace id, and to nobody else."""
        self._journalist.unforeseen(passage_of(request.scope).trace.id, error)
        return self._response(request, unforeseen())

    def _response(self, request: Request[object, object, State], refusal: Refusal) -> Response[bytes]:
        oauth = _is_oauth(request.scope)
        body, headers = render(refusal, passage_of(request.scope), oauth=oauth, approvals=self._approvals)
        status = oauth_status(refusal.status) if oauth else refusal.status
        return Response(body, status_code=status, headers=headers, media_type=headers["content-type"])

    async def early(self, scope: Scope, send: Send, error: CustodyError) -> None:
        """Refuse before any route was found."""
        oauth = _is_oauth(scope)
        refusal = refusal_of(error)
        body, headers = render(refusal, passage_of(scope), oauth=oauth)
        status = oauth_status(refusal.status) if oauth else refusal.status
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        raw.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def _allowed(request: Request[object, object, State]) -> list[str]:
    """The methods that a path has (RFC 9110 section 10.2.1)."""
    found: list[str] = []
    for method in sorted(METHODS):
        with suppress(HTTPException):
            request.app.asgi_router.handle_routing(path=request.scope["path"], method=method)
            found.append(method)
    return found


def _is_oauth(scope: Scope) -> bool:
    return scope["path"] == TOKEN and scope.get("method") == "POST"


def body_message(body: bytes) -> HTTPReceiveMessage:
    """A body that is all there, as an ASGI message."""
    return {"type": "http.request", "body": body, "more_body": False}
