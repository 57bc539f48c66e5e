"""``POST /intake/NAME``: logs that are pushed, answered only when every record of them is sealed.

NDJSON, JSON, OTLP/HTTP with JSON, CloudEvents (structured, batched, binary) and security event tokens (RFC 8935). Who
may push as NAME is in the broker file, by the SHA-256 of a bearer token.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

import msgspec
from litestar import Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from custody.errors import EvidenceUnavailable, IdentityRefused, IntentRefused
from custody.serve import cloud_events
from custody.serve.intake_body import body_of, short_of
from custody.serve.intake_forms import Form, form_of
from custody.serve.parts import IntakeDoor, Taken
from custody.serve.passage import Asked, passage_of, shop_of
from custody.serve.people import bearer, values_of
from custody.serve.spool import spooled
from custody.settings.broker_file import Intake

AT_ONCE = 8
"""Pushed logs that are taken in at the same time."""

_SIGNALS = ("logs", "traces")

_SET_ERRORS = {
    "bad-signature": "invalid_key",
    "unknown-key": "invalid_key",
    "wrong-issuer": "invalid_issuer",
    "wrong-audience": "invalid_audience",
    "no-transmitter": "access_denied",
}
"""The words of RFC 8935 section 2.4 for reasons; any other reason is ``invalid_request``."""


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All of it is sealed. ``leaf`` is that of the first record, null where every record was known already.

    ``incidents`` name its alerts, where the intake opens any.
    """

    leaf: int | None
    records: int
    skips: int
    incidents: tuple[str, ...] = ()


class SetError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a security event token is refused (RFC 8935 section 2.3)."""

    err: str
    description: str


@post("/intake/{name:str}", status_code=200, opt={"intake": True}, tags=["intake"])
async def pushed(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """A log, or a part of one."""
    door = _door(request, name)
    form = form_of(_content_type(request), binary=cloud_events.is_binary(request.scope["headers"]))
    if form is Form.EVENT_TOKEN:
        return await _event_token(request, door)
    taken = await _take(request, door, form)
    body = Acknowledged(leaf=taken.first, records=taken.records, skips=taken.skips, incidents=taken.incidents)
    return Response(msgspec.json.encode(body), media_type="application/json")


@post("/intake/{name:str}/v1/{signal:str}", status_code=200, opt={"intake": True}, tags=["intake"])
async def telemetry_named(request: Asked, name: FromPath[str], signal: FromPath[str]) -> Response[bytes]:
    """OTLP/HTTP logs or traces in JSON, where ``/intake/NAME`` is the exporter's endpoint."""
    return await _telemetry(request, _door(request, name), signal)


@post("/v1/{signal:str}", status_code=200, opt={"intake": True}, tags=["intake"])
async def telemetry(request: Asked, signal: FromPath[str]) -> Response[bytes]:
    """OTLP/HTTP logs or traces in JSON; the token says whose they are."""
    return await _telemetry(request, _door(request, None), signal)


async def _telemetry(request: Asked, door: Intake, signal: str) -> Response[bytes]:
    """The answer of OTLP: an empty response message says that all of it was taken."""
    if signal not in _SIGNALS:
        raise IntentRefused("not a signal that is taken here", reason="signal", expected=" or ".join(_SIGNALS))
    if form_of(_content_type(request), binary=False) is not Form.JSON:
        raise IntentRefused("not a media type that is taken here", reason="content-type", expected=Form.JSON.value)
    await _take(request, door, Form.JSON)
    return Response(b"{}", media_type="application/json")


def _door(request: Asked, name: str | None) -> Intake:
    """The intake whose token this is: one answer for a wrong token and a wrong name; every token is compared."""
    shown = sha256(bearer(request.scope)).hexdigest()
    doors = shop_of(request).parts.doors
    alike = [each for each in doors if hmac.compare_digest(shown, each.token_sha256.lower())]
    found = [each for each in alike if name in (None, each.name)]
    if not found:
        raise IdentityRefused("nobody who may push logs here", reason="intake-token")
    return found[0]


async def _take(request: Asked, door: Intake, form: Form) -> Taken:
    """Read it all, and have it sealed."""
    with _place(request) as intake:
        if form is Form.BINARY_EVENT:
            body = await short_of(request)
            event = cloud_events.folded(request.scope["headers"], _content_type(request), body)
            return await intake.take(door.name, event, Form.CLOUD_EVENT.value)
        parts = shop_of(request).parts
        async with spooled(body_of(request), parts.spool, parts.random) as held:
            if held == b"":
                raise IntentRefused("nothing was sent", reason="empty")
            return await intake.take(door.name, held, form.value)


async def _event_token(request: Asked, door: Intake) -> Response[bytes]:
    """RFC 8935: 202 when the claims are sealed; what does not verify is refused in the words of that RFC."""
    try:
        with _place(request) as intake:
            verifier = shop_of(request).parts.sets.get(door.name)
            if verifier is None:
                raise IdentityRefused("no transmitter is known for this intake", reason="no-transmitter")
            claims = await verifier.claims((await short_of(request)).strip())
            await intake.take(door.name, claims, Form.EVENT_TOKEN.value)
    except IdentityRefused as error:
        passage_of(request.scope).reason = error.reason
        told = SetError(err=_SET_ERRORS.get(error.reason, "invalid_request"), description=error.message)
        return Response(msgspec.json.encode(told), status_code=400, media_type="application/json")
    return Response(b"", status_code=202, media_type="application/json")


@contextmanager
def _place(request: Asked) -> Iterator[IntakeDoor]:
    """One of the places for logs that are taken in at once. EvidenceUnavailable where there is none, or no intake."""
    shop = shop_of(request)
    if shop.parts.intake is None:
        raise EvidenceUnavailable("nothing is taken in here", reason="no-intake")
    if shop.taking >= AT_ONCE:
        raise EvidenceUnavailable("too many logs at once", reason="busy", advice="send it again")
    shop.taking += 1
    try:
        yield shop.parts.intake
    finally:
        shop.taking -= 1


def _content_type(request: Asked) -> str:
    found = values_of(request.scope, b"content-type")
    return found[0] if len(found) == 1 else ""


ROUTES: list[HTTPRouteHandler] = [pushed, telemetry_named, telemetry]
