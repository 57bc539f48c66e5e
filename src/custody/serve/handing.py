"""How a credential is handed over: the one place where a secret leaves the broker, in the answer to the asker."""

from __future__ import annotations

import msgspec
from litestar import Response

from custody.broker.desk import Handed
from custody.model.times import text

ACCESS_TOKEN = "access_token"  # noqa: S105  # a name of RFC 6749


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the credential is in the broker's log: pointers, which prove nothing by themselves.

    Under break-glass ``review`` is the request that somebody else has to approve, ``review_by`` by when.
    """

    chain: str
    receipt: str
    request: str
    not_after: str
    keys: tuple[str, ...] = ()
    review: str | None = None
    review_by: str | None = None


class Handover(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 8693 section 2.2.1; ``credential`` holds the fields of what is no token (``token_type`` is ``N_A`` then)."""

    issued_token_type: str
    token_type: str
    expires_in: int
    custody: Receipt
    access_token: str | msgspec.UnsetType = msgspec.UNSET
    scope: str = ""
    credential: dict[str, str] = {}


_ENCODER = msgspec.json.Encoder()


def handed_over(handed: Handed) -> Response[bytes]:
    """The answer with the credential in it; nothing keeps it on the way (``no-store``)."""
    revealed = {name: secret.reveal() for name, secret in handed.secrets.items()}
    token = revealed.pop(ACCESS_TOKEN, None)
    body = Handover(
        access_token=msgspec.UNSET if token is None else token,
        issued_token_type=handed.type,
        token_type="N_A" if token is None else "Bearer",  # names of RFC 8693
        expires_in=handed.expires_in,
        scope=" ".join(handed.scope),
        credential={**handed.facts, **revealed},
        custody=Receipt(
            chain=handed.chain,
            receipt=handed.receipt,
            request=handed.request,
            not_after=text(handed.not_after) or "",
            keys=handed.keys,
            review=handed.review,
            review_by=handed.review_by,
        ),
    )
    return Response(_ENCODER.encode(body), media_type="application/json", headers={"pragma": "no-cache"})
