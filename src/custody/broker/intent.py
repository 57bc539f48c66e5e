"""What may be asked for at all: bounds and sense of an intent, before any policy sees it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from custody.errors import IntentRefused
from custody.model.broker_terms import Intent
from custody.model.brokered import CHAIN

MOST_VALUES, MOST_TEXT, MOST_DETAILS, MOST_DETAIL = 16, 512, 8, 4096
"""Values in a list, characters of a text, entries of ``authorization_details``, bytes of each."""
LONGEST = 7 * 24 * 3600
"""The longest life that anybody may ask for, in seconds."""

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_CHAIN = re.compile(CHAIN, re.ASCII)


def check(intent: Intent, secretive: Callable[[str], bool] = lambda _: False) -> Intent:
    """The intent, where it is within bounds. IntentRefused names the parameter, never repeats its text.

    ``secretive`` says whether a text holds what looks like a secret: none is to be sealed or kept.
    """
    for name, value in _texts(intent):
        _check_text(name, value, secretive)
    for name, values in (("resource", intent.resource), ("audience", intent.audience), ("scope", intent.scope)):
        if len(values) > MOST_VALUES or len(set(values)) != len(values):
            raise _refused("invalid-parameter", name, f"at most {MOST_VALUES} values, none twice")
    if intent.ttl is not None and not 1 <= intent.ttl <= LONGEST:
        raise _refused("invalid-parameter", "ttl", f"1 to {LONGEST} seconds")
    for name, chain in (("parent", intent.parent), ("renews", intent.renews)):
        if chain is not None and not _CHAIN.fullmatch(chain):
            raise _refused("invalid-parameter", name, "a chain id")
    if intent.renews is not None and not (intent.reason or "").strip():
        raise _refused("reason-missing", "reason", "why it is renewed")
    _check_details(intent.details, secretive)
    return intent


def _check_text(name: str, value: str, secretive: Callable[[str], bool]) -> None:
    if not value or len(value) > MOST_TEXT:
        raise _refused("invalid-parameter", name, f"1 to {MOST_TEXT} characters")
    if secretive(value):
        raise _refused("holds-a-secret", name, "text without a password, key or token")
    if _UNSEEN.search(value):
        raise _refused("invalid-parameter", name, "text without controls or invisible characters")


def _texts(intent: Intent) -> Iterator[tuple[str, str]]:
    for name in ("resource", "audience", "scope"):
        yield from ((name, value) for value in getattr(intent, name))
    for name in ("backend", "purpose", "ticket", "run", "reason"):
        value = getattr(intent, name)
        if value is not None:
            yield name, value


def _check_details(details: tuple[str, ...], secretive: Callable[[str], bool]) -> None:
    if len(details) > MOST_DETAILS:
        raise _refused("invalid-authorization-details", "authorization_details", f"at most {MOST_DETAILS}")
    for text in details:
        if len(text.encode("utf-8", "replace")) > MOST_DETAIL:
            raise _refused(
                "invalid-authorization-details", "authorization_details", f"at most {MOST_DETAIL} bytes each"
            )
        try:
            found = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            found = None
        if secretive(text):
            raise _refused("holds-a-secret", "authorization_details", "text without a password, key or token")
        if not isinstance(found, dict) or not isinstance(found.get("type"), str):
            raise _refused("invalid-authorization-details", "authorization_details", "objects with a type (RFC 9396)")


def _refused(reason: str, name: str, expected: str) -> IntentRefused:
    return IntentRefused("a parameter is not valid", reason=reason, where=name, expected=expected)
