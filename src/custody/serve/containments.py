"""``/containments``: to stop issuing to an identity, and to begin again when the checklist is shown."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from custody.broker.desk import Item
from custody.serve.json_bodies import given
from custody.serve.passage import Asked, shop_of
from custody.serve.people import ACTS, READS_LEASES, person_of, signed_in
from custody.serve.views import ContainmentView, LeaseView, Reason, containment_view, lease_view

_PRINTS = r"^[^\x00-\x1f\x7f]*$"
IdentityName = Annotated[str, msgspec.Meta(min_length=1, max_length=300, pattern=_PRINTS)]
WantedIdentity = Annotated[
    str, QueryParameter(min_length=1, max_length=300, description="The identity in the register")
]


class ToContain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which identity to contain and why."""

    identity: IdentityName
    reason: Reason
    incident: Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=_PRINTS)] | None = None


class ToEnable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which identity may be issued to again, and why."""

    identity: IdentityName
    reason: Reason


class Contained(msgspec.Struct, frozen=True, kw_only=True):
    """The leases of a contained identity as they stand now; what is not ``ended`` yet is named so."""

    identity: str
    leases: list[LeaseView]


class Containments(msgspec.Struct, frozen=True, kw_only=True):
    """The open containments."""

    items: list[ContainmentView]


class Checklist(msgspec.Struct, frozen=True, kw_only=True):
    """What re-enablement needs, and what of it is shown."""

    identity: str
    items: list[Item]


QUERY = frozenset({"identity"})
_TO_CONTAIN = msgspec.json.Decoder(ToContain)
_TO_ENABLE = msgspec.json.Decoder(ToEnable)


@get("/containments", guards=[signed_in], opt={"roles": READS_LEASES}, tags=["containments"])
async def containments(request: Asked) -> Containments:
    """The open containments."""
    return Containments(items=[containment_view(each) for each in await shop_of(request).desk.containments()])


@post("/containments", status_code=200, guards=[signed_in], opt={"roles": ACTS}, tags=["containments"])
async def contain(request: Asked) -> Contained:
    """Stop issuing to an identity and end what lives."""
    data = await given(request, _TO_CONTAIN)
    ended = await shop_of(request).desk.contain(
        person_of(request), data.identity, reason=data.reason, incident=data.incident
    )
    return Contained(identity=data.identity, leases=[lease_view(each) for each in ended])


@get("/containments/checklist", guards=[signed_in], opt={"roles": READS_LEASES, "query": QUERY}, tags=["containments"])
async def checklist(request: Asked, identity: WantedIdentity) -> Checklist:
    """What has to be shown before an identity may be issued to again."""
    return Checklist(identity=identity, items=await shop_of(request).desk.checklist(identity))


@post("/containments/enable", status_code=200, guards=[signed_in], opt={"roles": ACTS}, tags=["containments"])
async def enable(request: Asked) -> Checklist:
    """End a containment; refused with what is open where the checklist is not shown."""
    data = await given(request, _TO_ENABLE)
    items = await shop_of(request).desk.enable(person_of(request), data.identity, reason=data.reason)
    return Checklist(identity=data.identity, items=items)


ROUTES: list[HTTPRouteHandler] = [containments, contain, checklist, enable]
