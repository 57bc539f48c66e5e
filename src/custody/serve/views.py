"""What callers see of leases, requests and containments: times as RFC 3339 text, and no secret in any of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated, Generic, TypeVar
from urllib.parse import urlencode

import msgspec
from litestar import Response
from litestar.params import QueryParameter

from custody.broker.desk import Containment, Ended, Lease, Page, Pending
from custody.errors import IntentRefused
from custody.model.times import text

Row = TypeVar("Row")
Seen = TypeVar("Seen")

MOST = 200
Limit = Annotated[int, QueryParameter(ge=1, le=MOST, required=False, description="Entries of a page")]
After = Annotated[
    str,
    QueryParameter(max_length=64, pattern=r"^[!-~]*$", required=False, description="The last entry of the page before"),
]
"""Texts of a query are never optional to Litestar: it reads the text ``null`` as none at all."""
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500, description="Why; it is sealed")]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=999_999_999, description="Seconds")]


class LeaseView(msgspec.Struct, frozen=True, kw_only=True):
    """A brokered credential without its secret. ``seq`` is the line of the broker's log that changed it last."""

    chain: str
    request: str
    backend: str
    kind: str
    ends: str
    standing: str
    identity: str
    workload: str
    name: str
    keys: tuple[str, ...]
    asked: str
    not_after: str
    seq: int
    decided: int
    issued: str | None
    ended: str | None
    effect: str | None
    cause: str
    scope: tuple[str, ...]
    parent: str | None
    renews: str | None
    renewals: int


class EndedView(msgspec.Struct, frozen=True, kw_only=True):
    """What ending a credential came to, with the credentials that descend from it."""

    lease: LeaseView
    below: list[LeaseView]


class RequestView(msgspec.Struct, frozen=True, kw_only=True):
    """A request that people decide about: ``shown`` is the exact text, ``digest`` its SHA-256 (hex)."""

    request: str
    digest: str
    shown: str
    state: str
    identity: str
    backend: str
    asked: str
    until: str
    needed: int
    group: str
    granted: tuple[str, ...]
    chain: str | None


class ContainmentView(msgspec.Struct, frozen=True, kw_only=True):
    """An open containment."""

    identity: str
    by: str
    reason: str
    since: str
    seq: int
    incident: str | None


class Listed(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    """A page of a list; ``next`` is the ``after`` of the page behind it, null on the last one."""

    items: list[Row]
    next: str | None


def lease_view(lease: Lease) -> LeaseView:
    """A lease as callers see it."""
    return LeaseView(
        chain=lease.chain,
        request=lease.request,
        backend=lease.backend,
        kind=lease.kind,
        ends=lease.ends.value,
        standing=lease.standing.value,
        identity=lease.identity,
        workload=lease.workload,
        name=lease.name,
        keys=lease.keys,
        asked=_text(lease.asked),
        not_after=_text(lease.not_after),
        seq=lease.seq,
        decided=lease.decided,
        issued=text(lease.issued),
        ended=text(lease.ended),
        effect=lease.effect.value if lease.effect else None,
        cause=lease.cause,
        scope=lease.scope,
        parent=lease.parent,
        renews=lease.renews,
        renewals=lease.renewals,
    )


def ended_view(ended: Ended) -> EndedView:
    """What ending came to, as callers see it."""
    return EndedView(lease=lease_view(ended.lease), below=[lease_view(each) for each in ended.below])


def request_view(pending: Pending) -> RequestView:
    """A request as callers see it."""
    return RequestView(
        request=pending.request,
        digest=pending.digest,
        shown=pending.shown,
        state=pending.state.value,
        identity=pending.identity,
        backend=pending.backend,
        asked=_text(pending.asked),
        until=_text(pending.until),
        needed=pending.needed,
        group=pending.group,
        granted=pending.granted,
        chain=pending.chain,
    )


def containment_view(found: Containment) -> ContainmentView:
    """A containment as callers see it."""
    return ContainmentView(
        identity=found.identity,
        by=found.by,
        reason=found.reason,
        since=_text(found.since),
        seq=found.seq,
        incident=found.incident,
    )


def word_of(kind: type[StrEnum], name: str, given: str) -> str | None:
    """The value of a filter that is one of a list, None where it was left out. IntentRefused where it is none."""
    if given and given not in {each.value for each in kind}:
        raise IntentRefused("a parameter is wrong", reason="malformed", found=name, expected=", ".join(kind))
    return given or None


def one_more(after: str, limit: int) -> Page:
    """What to ask the broker for: an entry more than a page holds shows that there is another page."""
    return Page(after=after or None, limit=limit + 1)


def paged(
    path: str,
    rows: Sequence[Seen],
    limit: int,
    name: Callable[[Seen], str],
    view: Callable[[Seen], Row],
    filters: dict[str, str | None],
) -> Response[Listed[Row]]:
    """The answer with a page; where another follows, its address is in ``Link`` (RFC 8288) too."""
    page = rows[:limit]
    following = name(page[-1]) if len(rows) > limit else None
    headers = {}
    if following is not None:
        query = {**{key: value for key, value in filters.items() if value}, "after": following, "limit": str(limit)}
        headers["link"] = f'<{path}?{urlencode(query)}>; rel="next"'
    return Response(Listed(items=[view(each) for each in page], next=following), headers=headers)


def _text(moment: int) -> str:
    return text(moment) or ""
