"""``/leases``: what was issued, and its renewal and end."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from custody.broker.desk import Standing
from custody.errors import NotFound
from custody.serve.gone import unless_gone
from custody.serve.handing import handed_over
from custody.serve.json_bodies import given
from custody.serve.passage import Asked, passage_of, shop_of
from custody.serve.people import ACTS, READS_LEASES, person_of, signed_in, workload_of
from custody.serve.token_form import is_chain
from custody.serve.views import (
    After,
    EndedView,
    LeaseView,
    Limit,
    Listed,
    Reason,
    Seconds,
    ended_view,
    lease_view,
    one_more,
    paged,
    word_of,
)

Name = Annotated[str, QueryParameter(max_length=300, required=False, description="The identity in the register")]
Only = Annotated[
    str,
    QueryParameter(required=False, description="Only those that stand so", schema_extra={"enum": list(Standing)}),
]


class Renewal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a credential is needed for longer, and for how long."""

    reason: Reason
    ttl: Seconds | None = None


class Revocation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a credential is ended."""

    reason: Reason


QUERY = frozenset({"after", "limit", "identity", "standing"})
_RENEWAL = msgspec.json.Decoder(Renewal)
_REVOCATION = msgspec.json.Decoder(Revocation)


@get("/leases", guards=[signed_in], opt={"roles": READS_LEASES, "query": QUERY}, tags=["leases"])
async def leases(
    request: Asked, after: After = "", limit: Limit = 50, identity: Name = "", standing: Only = ""
) -> Response[Listed[LeaseView]]:
    """Leases, the oldest first."""
    word = word_of(Standing, "standing", standing)
    rows = await shop_of(request).desk.leases(one_more(after, limit), identity=identity or None, standing=word)
    filters = {"identity": identity or None, "standing": word}
    return paged("/leases", rows, limit, lambda each: each.chain, lease_view, filters)


@get("/leases/{chain:str}", guards=[signed_in], opt={"roles": READS_LEASES}, tags=["leases"])
async def lease(request: Asked, chain: FromPath[str]) -> LeaseView:
    """One lease."""
    return lease_view(await shop_of(request).desk.lease(_named(request, chain)))


@post("/leases/{chain:str}/renew", status_code=200, opt={"workload": True}, tags=["leases"])
async def renew(request: Asked, chain: FromPath[str]) -> Response[bytes]:
    """A successor for a live credential of the same workload, decided afresh; the old one ends."""
    caller = workload_of(request)
    data = await given(request, _RENEWAL)
    work = shop_of(request).desk.renew(caller, _named(request, chain), reason=data.reason, ttl=data.ttl)
    handed = await unless_gone(request.receive, work)
    passage_of(request.scope).chain = handed.chain
    return handed_over(handed)


@post("/leases/{chain:str}/complete", status_code=200, opt={"workload": True}, tags=["leases"])
async def complete(request: Asked, chain: FromPath[str]) -> EndedView:
    """The workload gives its credential back: it ends now, and what descends from it."""
    caller = workload_of(request)
    return ended_view(await shop_of(request).desk.complete(caller, _named(request, chain)))


@post("/leases/{chain:str}/revoke", status_code=200, guards=[signed_in], opt={"roles": ACTS}, tags=["leases"])
async def revoke(request: Asked, chain: FromPath[str]) -> EndedView:
    """An operator ends a credential and what descends from it."""
    desk = shop_of(request).desk
    data = await given(request, _REVOCATION)
    return ended_view(await desk.revoke(person_of(request), _named(request, chain), reason=data.reason))


def _named(request: Asked, chain: str) -> str:
    """A chain id; what cannot be one is not looked for."""
    if not is_chain(chain):
        raise NotFound("no such lease", expected="a chain id: cc-…")
    passage_of(request.scope).chain = chain
    return chain


ROUTES: list[HTTPRouteHandler] = [leases, lease, renew, complete, revoke]
