"""What the edge hands to the service of approvals, and what the service says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from custody.broker.approvals.webhooks import Secret
from custody.broker.clock import Clock
from custody.broker.desk import RequestState
from custody.model.broker_terms import Asked
from custody.model.times import text
from custody.pipeline.approving.desk import ApprovalDesk
from custody.pipeline.approving.standing import Standing, Weighed


class Approver(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who signed in: their key, other names of theirs, roles, and the groups that their token names.

    ``facts`` are sealed with what they decide: the public facts of the token, never the token.
    """

    key: str
    roles: frozenset[str]
    names: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    facts: Mapping[str, str] = {}


class SignIn(Protocol):
    """Knows people by their ID tokens."""

    async def approver(self, token: bytes, now: int) -> Approver:
        """Who signed in, at ``now`` (µs). IdentityRefused with a stable reason; the token is never quoted."""
        ...


class ApprovalParts(msgspec.Struct, frozen=True, kw_only=True):
    """The parts. Without ``sign_in`` only webhooks decide; ``webhooks`` are the secrets by the name of each."""

    desk: ApprovalDesk
    clock: Clock
    sign_in: SignIn | None = None
    webhooks: Mapping[str, Secret] = {}


class Ask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision as somebody sends it. ``digest`` is that of the request that they were shown."""

    verdict: Literal["grant", "deny", "withdraw"]
    reason: str
    digest: str
    until: str | None = None


class Hook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision as a system sends it, of somebody whom it names."""

    request: str
    verdict: Literal["grant", "deny", "withdraw"]
    reason: str
    digest: str
    approver: str
    until: str | None = None


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that is in the log of approvals, at ``leaf``. ``sealed``: by this call, not by one before it."""

    request: str
    digest: str
    verdict: str
    approver: str
    leaf: int
    sealed: bool


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that was sealed about a request; ``why`` it does not count, empty where it does."""

    leaf: int
    verdict: str
    approver: str
    method: str
    reason: str
    at: str
    why: str


class RequestView(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it stands. ``shown`` is the exact text that is approved, ``digest`` its SHA-256 (hex)."""

    request: str
    digest: str
    shown: str
    state: RequestState
    identity: str
    until: str
    asked: Asked
    granted: tuple[str, ...]
    leaf: int
    decisions: tuple[Said, ...]


def view_of(standing: Standing) -> RequestView:
    """What is shown of a request."""
    shown = standing.shown
    return RequestView(
        request=shown.request.request,
        digest=shown.digest,
        shown=shown.text.decode("ascii"),
        state=standing.state,
        identity="" if shown.request.registered is None else shown.request.registered.identity,
        until=str(text(shown.until)),
        asked=shown.asked,
        granted=tuple(each.approver for each in standing.tally.granted),
        leaf=shown.leaf,
        decisions=tuple(map(_said, standing.weighed)),
    )


def _said(weighed: Weighed) -> Said:
    decision = weighed.given.decision
    return Said(
        leaf=weighed.given.leaf,
        verdict=decision.verdict,
        approver=decision.approver,
        method=decision.method,
        reason=decision.reason,
        at=decision.at,
        why=weighed.why,
    )
