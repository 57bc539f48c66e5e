"""``POST /token``: OAuth 2.0 Token Exchange (RFC 8693). What is issued under break-glass is told aloud."""

from __future__ import annotations

from time import perf_counter

from litestar import Response, post
from litestar.handlers import HTTPRouteHandler

from custody.broker.desk import Caller, Desk, Handed
from custody.errors import (
    ApprovalNeeded,
    BackendFailed,
    BrokerError,
    EvidenceUnavailable,
    IdentityRefused,
    IntentRefused,
    PolicyDenied,
)
from custody.serve.gone import unless_gone
from custody.serve.handing import handed_over
from custody.serve.lines import Journalist
from custody.serve.passage import Asked, Shop, passage_of, shop_of
from custody.serve.people import caller_of, certificates, values_of
from custody.serve.token_form import Form, grant_of, intent_of, presented_of, request_of

BREAK_GLASS = "break-glass"
"""What the counter and the line of the log are called: such a request is counted as ``issued`` as well."""
FORM = "application/x-www-form-urlencoded"
OUTCOMES: tuple[tuple[type[BrokerError], str], ...] = (
    (IdentityRefused, "identity-refused"),
    (IntentRefused, "intent-refused"),
    (PolicyDenied, "denied"),
    (ApprovalNeeded, "approval-needed"),
    (BackendFailed, "backend-failed"),
    (EvidenceUnavailable, "no-evidence"),
    (BrokerError, "failed"),
)


@post("/token", status_code=200, tags=["credentials"])
async def token(request: Asked) -> Response[bytes]:
    """A credential for a workload that proves who it is, or why there is none."""
    shop = shop_of(request)
    passage = passage_of(request.scope)
    begun = perf_counter()
    try:
        handed = await _exchanged(request, shop.desk)
    except BrokerError as error:
        shop.metrics.decided(next(word for kind, word in OUTCOMES if isinstance(error, kind)))
        raise
    shop.metrics.issued(perf_counter() - begun)
    passage.chain, passage.request = handed.chain, handed.request
    if handed.review is not None:
        _aloud(shop, handed)
    return handed_over(handed)


def _aloud(shop: Shop, handed: Handed) -> None:
    shop.metrics.decided(BREAK_GLASS)
    told = f"{handed.identity} has {handed.chain} of nobody's approval; {handed.review} waits for it until "
    Journalist(shop.parts.clock, shop.parts.log).said("warning", BREAK_GLASS, f"{told}{handed.review_by}")


async def _exchanged(request: Asked, desk: Desk) -> Handed:
    kinds = values_of(request.scope, b"content-type")
    if len(kinds) != 1 or kinds[0].partition(";")[0].strip().lower() != FORM:
        raise IntentRefused("not a media type that is taken here", reason="content-type", expected=FORM)
    form = Form(await request.body())
    grant_of(form)
    caller = _caller(request, form)
    waiting = request_of(form)
    work = desk.fetch(caller, waiting) if waiting is not None else desk.exchange(caller, intent_of(form))
    return await unless_gone(request.receive, work)


def _caller(request: Asked, form: Form) -> Caller:
    subject, actor = presented_of(form, certificates(request.scope))
    return caller_of(request, subject, actor)


ROUTES: list[HTTPRouteHandler] = [token]
