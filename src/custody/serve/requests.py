"""``/requests``: what people decide about, exactly as they are shown it."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from custody.broker.desk import RequestState
from custody.errors import NotFound
from custody.serve.passage import Asked, passage_of, shop_of
from custody.serve.people import READS_REQUESTS, signed_in
from custody.serve.token_form import is_request
from custody.serve.views import After, Limit, Listed, RequestView, one_more, paged, request_view, word_of

Only = Annotated[
    str,
    QueryParameter(
        name="state",
        required=False,
        description="Only those in this state",
        schema_extra={"enum": list(RequestState)},
    ),
]


QUERY = frozenset({"after", "limit", "state"})


@get("/requests", guards=[signed_in], opt={"roles": READS_REQUESTS, "query": QUERY}, tags=["requests"])
async def requests(
    request: Asked, after: After = "", limit: Limit = 50, standing: Only = ""
) -> Response[Listed[RequestView]]:
    """Requests that needed approval, the oldest first."""
    word = word_of(RequestState, "state", standing)
    rows = await shop_of(request).desk.requests(one_more(after, limit), state=word)
    return paged("/requests", rows, limit, lambda each: each.request, request_view, {"state": word})


@get("/requests/{name:str}", guards=[signed_in], opt={"roles": READS_REQUESTS}, tags=["requests"])
async def request_shown(request: Asked, name: FromPath[str]) -> RequestView:
    """One request, with the exact text that approvers see and its digest."""
    if not is_request(name):
        raise NotFound("no such request", expected="the id of a request: rq-…")
    passage_of(request.scope).request = name
    return request_view(await shop_of(request).desk.request(name))


ROUTES: list[HTTPRouteHandler] = [requests, request_shown]
