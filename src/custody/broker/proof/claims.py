"""Claims of a verified token as they are kept: cleaned, bounded, of a fixed list; and the act chain that it carries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from custody.broker.proof.compact import MAX_NAME
from custody.broker.proof.refusals import refused
from custody.model.broker_terms import Actor
from custody.model.keys import scoped

MAX_SUBJECT = 1024
"""Characters of a subject; a longer one is refused, never cut: two of them could become one."""

MAX_ACTORS = 8
"""Links of an ``act`` chain."""

Claims = Mapping[str, object]


def cleaned(value: object) -> str | None:
    """A claim as text, None for one that is no text, number or truth value.

    What cannot be printed becomes U+FFFD, never nothing, and what is cut off ends with an ellipsis: a cleaned value
    cannot turn into one that a policy trusts.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        value = repr(value) if abs(value) < 1 << 64 else "…"
    if not isinstance(value, str):
        return None
    short = value if len(value) <= MAX_NAME else value[: MAX_NAME - 1] + "…"
    return short if short.isprintable() else "".join(sign if sign.isprintable() else "\ufffd" for sign in short)


def kept(claims: Claims, names: Iterable[str]) -> dict[str, str]:
    """The claims of these names, as they are kept."""
    found = ((name, cleaned(claims.get(name))) for name in names)
    return {name: value for name, value in found if value}


def subject(claims: Claims, where: str) -> str:
    """The ``sub`` claim, exactly. IdentityRefused where it is none, too long or cannot be printed."""
    found = claims.get("sub")
    if not isinstance(found, str) or not 0 < len(found) <= MAX_SUBJECT or not found.isprintable():
        raise refused("malformed", where=where, expected=f"a sub of 1 to {MAX_SUBJECT} characters that can be printed")
    return found


def identifier(value: object) -> str | None:
    """An id (``jti``, a uid, a run's number) exactly, None where it is not there or no plain short text or number."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64:
        return str(value)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME or not value.isprintable():
        return None
    return value


def issuer_scope(issuer: str) -> str:
    """An issuer as keys have it in their scope: without ``https://``."""
    return issuer.removeprefix("https://")


def token_key(issuer: str, claims: Claims) -> str | None:
    """The key of a token by issuer and ``jti``, None where it has none."""
    jti = identifier(claims.get("jti"))
    return scoped("jwt_jti", issuer_scope(issuer), jti) if jti else None


def moment(seconds: float) -> str:
    """RFC 3339 in UTC with microseconds, as the broker's log has times."""
    found = datetime.fromtimestamp(seconds, UTC)
    return found.isoformat(timespec="microseconds").replace("+00:00", "Z")


def carried_actors(claims: Claims, issuer: str) -> tuple[Actor, ...]:
    """The ``act`` chain of a verified token (RFC 8693 section 4.1), outermost first: the word of its issuer.

    IdentityRefused ``act-malformed`` where a link names nobody, or there are more than ``MAX_ACTORS``.
    """
    chain: list[Actor] = []
    link = claims.get("act")
    if "act" in claims and not isinstance(link, dict):
        raise refused("act-malformed", where=issuer, expected="an object")
    while isinstance(link, dict):
        if len(chain) == MAX_ACTORS:
            raise refused("act-malformed", where=issuer, expected=f"at most {MAX_ACTORS} actors")
        chain.append(Actor(subject=_named(link, "sub", issuer), issuer=_issuer_of(link, issuer)))
        below = link.get("act")
        if "act" in link and not isinstance(below, dict):
            raise refused("act-malformed", where=issuer, expected="an object")
        link = below
    return tuple(chain)


def allowed_actor(claims: Claims, issuer: str) -> dict[str, str] | None:
    """``may_act`` (RFC 8693 section 4.4): the claims that an actor must have, None where the token says nothing of it.

    IdentityRefused ``act-malformed`` where it is there and cannot be told: it would otherwise allow anybody.
    """
    if "may_act" not in claims:
        return None
    found = claims["may_act"]
    if not isinstance(found, dict) or not 0 < len(found) <= MAX_ACTORS or "sub" not in found:
        raise refused("act-malformed", where=issuer, expected="may_act with sub")
    if any(len(name) > MAX_NAME or not name.isprintable() for name in found):
        raise refused("act-malformed", where=issuer, expected="names of claims")
    return {name: _named(found, name, issuer) for name in found}


def _issuer_of(link: Claims, issuer: str) -> str:
    return _named(link, "iss", issuer) if "iss" in link else issuer


def _named(link: Claims, name: str, issuer: str) -> str:
    found = link.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= MAX_SUBJECT or not found.isprintable():
        raise refused("act-malformed", where=issuer, expected="names that are text and can be printed")
    return found
