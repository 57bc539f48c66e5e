"""The application: requests to look at, decisions to send, webhooks of systems that decide.

Nothing is kept in the process: each answer is read from the sealed logs, each decision is sealed before it is answered.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from litestar import Litestar, Response, get, post
from litestar.datastructures import MutableScopeHeaders
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler, Scope
from litestar.types import Message as Sent

from custody import __version__
from custody.broker.approvals.people import webhook_key
from custody.broker.approvals.webhooks import Message, verify
from custody.broker.desk import RequestState
from custody.errors import CustodyError, IdentityRefused, IntentRefused, PolicyDenied
from custody.pipeline.approving.deciding import Decided, Wanted, Who
from custody.serve.approving.parts import ApprovalParts, Approver, Ask, Hook, RequestView, Sealed, view_of
from custody.serve.approving.problems import Asked, protocol, refused, unexpected

MAX_BODY = 16 << 10
"""Bytes of the longest body."""
MAX_TOKEN = 16 << 10
READERS = frozenset({"approver", "auditor", "operator", "admin"})
DECIDERS = frozenset({"approver"})

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

MAY_READ = "Roles: " + ", ".join(sorted(READERS))
MAY_DECIDE = "Roles: " + ", ".join(sorted(DECIDERS))
ANYBODY = "Anybody who reaches the service"

Standing = Annotated[RequestState | None, QueryParameter(name="state")]

_HOOK = msgspec.json.Decoder(Hook)


def build(parts: ApprovalParts) -> Litestar:
    """The ASGI application over its parts."""
    return Litestar(
        [*_requests(parts), *_webhooks(parts), _health()],
        exception_handlers={CustodyError: refused, HTTPException: protocol, Exception: unexpected},
        before_send=[_headed],
        request_max_body_size=MAX_BODY,
        openapi_config=OpenAPIConfig(
            title="custody approvals", version=__version__, path="/docs", render_plugins=[JsonRenderPlugin()]
        ),
    )


async def _headed(message: Sent, _: Scope) -> None:
    """Give every answer its headers, also those that say what is wrong."""
    if message["type"] == "http.response.start":
        MutableScopeHeaders.from_message(message).update(HEADERS)


def _requests(parts: ApprovalParts) -> list[ControllerRouterHandler]:
    desk = parts.desk

    @get("/requests", summary="The requests that need, or needed, approval", description=MAY_READ)
    async def listed(request: Asked, standing: Standing = None) -> list[RequestView]:
        await _signed_in(parts, request, READERS)
        return [view_of(each) for each in await asyncio.to_thread(desk.every, standing)]

    @get(
        "/requests/{request_id:str}",
        summary="One request: the exact text to approve, and its digest",
        description=MAY_READ,
    )
    async def one(request: Asked, request_id: FromPath[str], digest: FromQuery[str | None] = None) -> RequestView:
        await _signed_in(parts, request, READERS)
        return view_of(await asyncio.to_thread(desk.one, request_id, digest))

    @post(
        "/requests/{request_id:str}/decisions",
        summary="Grant or deny exactly the request with this digest",
        description=MAY_DECIDE,
    )
    async def decided(request: Asked, request_id: FromPath[str], data: JSONBody[Ask]) -> Response[Sealed]:
        person = await _signed_in(parts, request, DECIDERS)
        wanted = Wanted(verdict=data.verdict, reason=data.reason, until=data.until)
        return _sealed(await asyncio.to_thread(desk.decide, request_id, data.digest, wanted, _who(person)))

    return [listed, one, decided]


def _webhooks(parts: ApprovalParts) -> list[ControllerRouterHandler]:
    @post(
        "/webhooks/{name:str}",
        summary="A decision that another system sends (Standard Webhooks)",
        description="Who has the secret of the webhook",
    )
    async def hooked(request: Asked, name: FromPath[str]) -> Response[Sealed]:
        message, hook = await _message(parts, request, name)
        who = Who(
            approver=webhook_key(name, hook.approver),
            method="webhook",
            webhook=name,
            message=message.id,
        )
        wanted = Wanted(verdict=hook.verdict, reason=hook.reason, until=hook.until)
        return _sealed(await asyncio.to_thread(parts.desk.decide, hook.request, hook.digest, wanted, who))

    return [hooked]


def _health() -> ControllerRouterHandler:
    @get("/healthz", summary="Whether the process answers", description=ANYBODY)
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return health


async def _signed_in(parts: ApprovalParts, request: Asked, roles: frozenset[str]) -> Approver:
    """Who asks, where they have one of the roles."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if parts.sign_in is None or scheme.lower() != "bearer" or not 0 < len(token) <= MAX_TOKEN:
        raise IdentityRefused("nobody signed in", reason="not-signed-in", expected="an ID token as bearer token")
    person = await parts.sign_in.approver(token.strip().encode("utf-8", "replace"), parts.clock.now())
    if not person.roles & roles:
        raise PolicyDenied(
            "you do not have the role for it", reason="role", expected=" or ".join(sorted(roles)), found=person.key
        )
    return person


def _who(person: Approver) -> Who:
    return Who(
        approver=person.key,
        method="oidc",
        names=person.names,
        groups=person.groups,
        oidc=dict(person.facts),
    )


async def _message(parts: ApprovalParts, request: Asked, name: str) -> tuple[Message, Hook]:
    """A webhook's message, once its signature holds; what it says is looked at only then."""
    secret = parts.webhooks.get(name)
    if secret is None:
        raise IdentityRefused("the webhook is refused: there is none of this name", reason="webhook-unknown")
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    known, sent, signature = (request.headers.get(each, "") for each in names)
    message = Message(known, sent, signature, await request.body())
    verify(message, secret, parts.clock.now())
    try:
        hook = _HOOK.decode(message.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise IntentRefused("the webhook's message is not a decision", reason="malformed") from None
    if not 1 <= len(hook.approver) <= 256 or not hook.approver.isprintable():
        raise IntentRefused("the webhook names nobody", reason="malformed", expected="1 to 256 printable characters")
    return message, hook


def _sealed(decided: Decided) -> Response[Sealed]:
    decision = decided.decision
    found = Sealed(
        request=decision.request,
        digest=decision.digest,
        verdict=decision.verdict,
        approver=decision.approver,
        leaf=decided.leaf,
        sealed=decided.sealed,
    )
    return Response(found, status_code=201 if decided.sealed else 200)
