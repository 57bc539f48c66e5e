"""People sign in with ID tokens and have roles; workloads show their tokens or certificates. Guards of the handlers."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import cast
from urllib.parse import parse_qsl

from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler
from litestar.types import Scope

from custody.broker.desk import Caller, Person
from custody.broker.proof.prover import TOKEN_JWT, Presented
from custody.errors import IdentityRefused, IntentRefused, PolicyDenied
from custody.serve.front import charge
from custody.serve.passage import Asked, passage_of, shop_of

AUDITOR, APPROVER, OPERATOR, ADMIN = "auditor", "approver", "operator", "admin"

READS_LEASES = frozenset({AUDITOR, OPERATOR, ADMIN})
READS_REQUESTS = frozenset({AUDITOR, APPROVER, OPERATOR, ADMIN})
ACTS = frozenset({OPERATOR, ADMIN})

MOST_TOKEN = 16 << 10
"""Bytes of a token at most."""

_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9\-._~+/]+=*)", re.ASCII)
_KEY = re.compile(r'"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x5b\x5d-\x7e]{1,255})', re.ASCII)

Connection = ASGIConnection[BaseRouteHandler, object, object, State]


async def signed_in(connection: Connection, handler: BaseRouteHandler) -> None:
    """Let pass only people who have one of the handler's roles (``opt['roles']``)."""
    asked = cast("Asked", connection)
    shop = shop_of(asked)
    passage = passage_of(connection.scope)
    if shop.parts.sign_in is None:
        raise IdentityRefused("nobody can sign in here", reason="no-people", advice="set [people] in the broker file")
    person = await shop.parts.sign_in.person(bearer(connection.scope))
    passage.person = person
    charge(shop.people, person.key, passage)
    roles = cast("frozenset[str]", handler.opt["roles"])
    if not person.roles & roles:
        raise PolicyDenied("a role is missing", reason="role-missing", expected=" or ".join(sorted(roles)))
    _known_query(connection.scope, cast("frozenset[str]", handler.opt.get("query", frozenset())))


def _known_query(scope: Scope, known: frozenset[str]) -> None:
    """IntentRefused where a parameter is unknown, empty or comes twice: a slip in a filter must not show more."""
    try:
        found = parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        found = [("", "")]
    names = [name if value else "" for name, value in found]
    if len(names) != len(set(names)) or not known.issuperset(names):
        told = ", ".join(sorted(known)) or "no parameter"
        raise IntentRefused("a parameter is unknown, empty or comes twice", reason="unknown-parameter", expected=told)


def person_of(asked: Asked) -> Person:
    """Who signed in; only in handlers behind ``signed_in``."""
    person = passage_of(asked.scope).person
    if person is None:
        raise IdentityRefused("nobody signed in", reason="token-missing")
    return person


def bearer(scope: Scope) -> bytes:
    """The token of the one ``Authorization`` header. IdentityRefused where it is not exactly one bearer token."""
    found = values_of(scope, b"authorization")
    if not found:
        raise IdentityRefused("no token", reason="token-missing", expected="Authorization: Bearer …")
    match = _BEARER.fullmatch(found[0]) if len(found) == 1 else None
    if match is None or len(match[1]) > MOST_TOKEN:
        raise IdentityRefused("not one bearer token", reason="malformed")
    return match[1].encode()


def workload_of(asked: Asked) -> Caller:
    """The workload that asks: by its bearer token, or where there is none, by the certificate of its connection."""
    shown = certificates(asked.scope)
    if shown and not values_of(asked.scope, b"authorization"):
        return caller_of(asked, Presented(type="", certificate=shown))
    return caller_of(asked, Presented(token=bearer(asked.scope), type=TOKEN_JWT, certificate=shown))


def caller_of(asked: Asked, presented: Presented, actor: Presented | None = None) -> Caller:
    """The caller, with what the request says beside the proof."""
    passage = passage_of(asked.scope)
    return Caller(
        presented=presented,
        actor=actor,
        origin=passage.origin,
        idempotency=_idempotency(asked.scope),
        trace=passage.trace.id,
    )


def certificates(scope: Scope) -> tuple[bytes, ...]:
    """The client's chain (DER, leaf first) as the TLS layer gave it (ASGI TLS extension); no header is looked at."""
    extensions = cast("Mapping[str, Mapping[str, object]]", scope.get("extensions") or {})
    chain = cast("tuple[str, ...]", extensions.get("tls", {}).get("client_cert_chain") or ())
    return tuple(ssl.PEM_cert_to_DER_cert(each) for each in chain)


def values_of(scope: Scope, name: bytes) -> list[str]:
    """All values of a header."""
    return [value.decode("latin-1") for found, value in scope["headers"] if found == name]


def _idempotency(scope: Scope) -> str | None:
    """The ``Idempotency-Key``: a string of structured fields, or the same without its quotes."""
    found = values_of(scope, b"idempotency-key")
    if not found:
        return None
    match = _KEY.fullmatch(found[0].strip()) if len(found) == 1 else None
    if match is None:
        raise IntentRefused(
            "not an idempotency key", reason="idempotency-key", expected="one string of 1 to 255 characters"
        )
    return match[1] or match[2]
