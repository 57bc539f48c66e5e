"""What every backend checks of an order before it plans: pure, and strict where a backend has no list of its own.

Refusals are IntentRefused with a stable word: ``unknown-scope``, ``unknown-audience``, ``unknown-resource``,
``unknown-detail-type``, ``malformed-detail``, ``no-scope``, ``no-audience``, ``several-audiences``, ``several-roles``,
``ttl-too-short``, ``ttl-too-long``, ``not-a-chain``, ``not-taggable``. What was asked for is shown in ASCII, shortened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container

from custody.broker.backends.backend import Order
from custody.errors import IntentRefused
from custody.model import times
from custody.model.broker_terms import Ending, Plan
from custody.model.brokered import CHAIN

_CHAIN = re.compile(CHAIN, re.ASCII)
_SHOWN = 60
_MICROSECONDS = 1_000_000


def shown(text: str) -> str:
    """What somebody sent, fit for an error: ASCII, escaped, at most 60 characters of it."""
    return ascii(text[:_SHOWN])


def refused(backend: str, reason: str, message: str, *, found: str = "", expected: str = "") -> IntentRefused:
    """The error for an intent that this backend cannot meet; ``found`` is escaped here."""
    return IntentRefused(
        message, reason=reason, where=f"backend {backend}", found=shown(found) if found else "", expected=expected
    )


def listed(backend: str, what: str, asked: tuple[str, ...], allowed: Container[str]) -> tuple[str, ...]:
    """The words that were asked for, each once, if the broker file lists them all; ``unknown-WHAT`` otherwise."""
    for word in asked:
        if word not in allowed:
            raise refused(backend, f"unknown-{what}", f"no such {what} at this backend", found=word)
    return tuple(dict.fromkeys(asked))


def details(backend: str, asked: tuple[str, ...], types: Container[str]) -> tuple[dict[str, object], ...]:
    """The ``authorization_details`` (RFC 9396 section 2), if each is an object of a ``type`` that the file lists.

    An object with a member twice is refused: two readers could take it for two things.
    """
    found = tuple(_detail(backend, text) for text in asked)
    for each in found:
        kind = each.get("type")
        if not isinstance(kind, str):
            raise refused(backend, "malformed-detail", "an authorization detail has no type")
        if kind not in types:
            raise refused(backend, "unknown-detail-type", "no such authorization detail at this backend", found=kind)
    return found


def _detail(backend: str, text: str) -> dict[str, object]:
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
        # What cannot be written again (a half of a surrogate pair, a number beyond all) cannot be put in a token.
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise refused(backend, "malformed-detail", "an authorization detail is not a JSON object with members once")
    return found


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member twice")
    return found


def _no_number(_: str) -> object:
    raise ValueError("no number of JSON")


def within(backend: str, order: Order, *, least: int, most: int) -> int:
    """The time to live in seconds, if this backend can make just that; it is never stretched."""
    if order.ttl < least:
        raise refused(
            backend, "ttl-too-short", "too short a life", found=f"{order.ttl} s", expected=f"{least} s or more"
        )
    if order.ttl > most:
        raise refused(backend, "ttl-too-long", "too long a life", found=f"{order.ttl} s", expected=f"at most {most} s")
    return order.ttl


def chain_of(backend: str, order: Order) -> str:
    """The chain id, if it is one: names on other systems are made of it, so nothing else may pass."""
    if not _CHAIN.fullmatch(order.chain):
        raise refused(backend, "not-a-chain", "the chain id is not one", found=order.chain)
    return order.chain


def planned(
    order: Order,
    *,
    kind: str,
    ends: Ending,
    name: str,
    not_after: int,
    scope: tuple[str, ...],
    key: str | None = None,
    subject: str | None = None,
) -> Plan:
    """The plan as the log has it; ``not_after`` in µs."""
    return Plan(
        backend=order.intent.backend,
        kind=kind,
        ends=ends,
        name=name,
        ttl=order.ttl,
        not_after=str(times.text(not_after)),
        scope=scope,
        key=key,
        subject=subject,
    )


def expiry(order: Order) -> int:
    """When the credential ends that is ordered now, in µs."""
    return order.now + order.ttl * _MICROSECONDS


def expiry_of(plan: Plan) -> int:
    """When a planned credential ends, in µs."""
    return times.microseconds(plan.not_after) or 0


def receipt(order: Order) -> dict[str, str | int]:
    """The receipt that the credential carries: the chain, the broker, and the seq of the sealed intent."""
    return {"chain": order.chain, "broker": order.broker, "seq": order.decided}
