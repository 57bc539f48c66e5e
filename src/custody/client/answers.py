"""What the broker answers, checked before anything is believed of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec

from custody.client.carrying import Answer
from custody.client.credential import Credential, Fields
from custody.errors import BrokerError
from custody.model.brokered import CHAIN

T = TypeVar("T")

Chain = Annotated[str, msgspec.Meta(pattern=rf"\A{CHAIN}\Z")]
Plain = Annotated[str, msgspec.Meta(pattern=r"\A[\x21-\x7e]{1,300}\Z")]
Time = Annotated[datetime, msgspec.Meta(tz=True)]


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A lease as the broker has it: no secret is in it. Times are RFC 3339.

    ``standing`` is ``planned``, ``live``, ``ending``, ``surviving``, ``waiting``, ``ended`` or ``failed``; ``effect``
    what the broker last saw of it after its end was asked for: ``gone``, ``sessions``, ``alive``, ``waiting``,
    ``unknown``.
    """

    chain: Chain
    request: Plain
    backend: Plain
    kind: Plain
    ends: Plain
    standing: Plain
    identity: str
    workload: str
    not_after: Time
    seq: int
    issued: Time | None = None
    ended: Time | None = None
    effect: Plain | None = None
    cause: str = ""
    scope: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    parent: str | None = None
    renews: str | None = None
    renewals: int = 0


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What ending a lease came to, with the leases that descend from it."""

    lease: Lease
    below: tuple[Lease, ...] = ()


class Leases(msgspec.Struct, frozen=True, kw_only=True):
    """A page of leases; ``next`` is what the following one comes after."""

    items: tuple[Lease, ...]
    next: Plain | None = None


class _Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Where the credential is in the broker's log."""

    chain: Chain
    receipt: Plain
    request: Plain
    not_after: Time
    keys: tuple[str, ...] = ()
    review: Plain | None = None
    review_by: Plain | None = None


class _Handover(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 8693 section 2.2.1, with custody's own parts."""

    issued_token_type: Plain
    custody: _Receipt
    access_token: str | None = None
    scope: str = ""
    credential: dict[str, str] = {}


def credential_of(answer: Answer) -> Credential:
    """The credential in an answer. BrokerError."""
    found = decoded(answer, _Handover)
    _, custody, own = found.issued_token_type.partition("custody:")
    fields = dict(found.credential)
    if found.access_token is not None:
        fields["access_token"] = found.access_token
    return Credential(
        kind=own if custody else "jwt",
        chain=found.custody.chain,
        receipt=found.custody.receipt,
        request=found.custody.request,
        expires=found.custody.not_after.astimezone(UTC),
        fields=Fields(fields),
        scope=tuple(found.scope.split()),
        keys=found.custody.keys,
        review=found.custody.review,
        review_by=found.custody.review_by,
    )


def decoded(answer: Answer, kind: type[T]) -> T:
    """The body of an answer as ``kind``. BrokerError, which repeats nothing of it."""
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except msgspec.DecodeError:
        pass  # its text may quote the answer, and a traceback would show it
    raise BrokerError(
        "the broker answered what is not understood",
        reason="malformed-answer",
        found=f"status {answer.status}, {len(answer.body)} bytes",
        advice="See that the address is that of a broker, and that it is not older or newer than this custody.",
    )
