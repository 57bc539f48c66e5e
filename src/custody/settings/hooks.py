"""Who is told of the steps of incidents: ``[[hooks]]`` and ``[caep]`` of the response file (docs/incident-hooks.md).

Secrets never stand there: a *reference* names where one is: ``env:NAME``, or ``file:PATH`` from the folder of the file.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from custody.errors import UsageError

CAEP = "caep"
"""The name of the receiver of security event tokens, among those of the hooks."""
MOST = 32
"""Hooks of one file."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)
_REFERENCE = re.compile(r"(?:env:[A-Za-z_][A-Za-z0-9_]{0,63}|file:.{1,500})", re.ASCII)
_HOW = 'The secret itself stands elsewhere: give "env:NAME", or "file:PATH" from the folder of this file.'


class Hook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receiver of CloudEvents.

    ``url``: https; or a reference, for addresses that are secrets themselves. With ``hmac`` the secret is ``whsec_``
    and the base64 of a key that signs each event (Standard Webhooks), with ``bearer`` a token. ``brief`` leaves out
    what people wrote and which commands they run. ``private`` allows addresses inside the network, and http to this
    machine; ``served`` has ``custody serve`` tell it, too.
    """

    name: str
    url: str
    secret: str = ""
    format: Literal["cloudevents"] = "cloudevents"
    auth: Literal["hmac", "bearer"] = "hmac"
    detail: Literal["full", "brief"] = "full"
    private: bool = False
    served: bool = True


class Caep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The receiver of security event tokens (RFC 8935) that tell of containment, revocation and rotation.

    ``issuer`` and ``audience`` stand in every token. ``key`` is the folder of the keys that sign them (made where there
    is none; empty: beside the keys of the store), with RS256 also a file with a key of your own. ``token`` is a
    reference to the bearer token, empty: none is sent. ``private`` and ``served`` as for a hook.
    """

    issuer: str
    audience: str
    url: str
    key: str = ""
    token: str = ""
    algorithm: Literal["ES256", "EdDSA", "RS256"] = "ES256"
    private: bool = False
    served: bool = True


def check(hooks: tuple[Hook, ...], caep: Caep | None, where: str) -> None:
    """UsageError where a name, a reference or the issuer is none. What should be a reference is never shown."""
    names = [each.name for each in hooks]
    if len(hooks) > MOST:
        raise UsageError("too many hooks", where=f"{where}: hooks", found=str(len(hooks)), expected=f"{MOST} at most")
    for each in hooks:
        if not _NAME.fullmatch(each.name) or each.name == CAEP or names.count(each.name) > 1:
            raise UsageError(
                "not the name of a hook", where=f"{where}: hooks", found=repr(each.name[:40]),
                expected=f"a-z, 0-9 and -, at most 32, each once, not {CAEP!r}",
            )  # fmt: skip
        if not each.secret:
            place = f"{where}: hooks.{each.name}.secret"
            raise UsageError("a hook without a secret", where=place, expected="env:NAME or file:PATH", advice=_HOW)
        _check_reference(each.secret, f"{where}: hooks.{each.name}.secret")
    if caep is None:
        return
    if caep.token:
        _check_reference(caep.token, f"{where}: caep.token")
    if not caep.issuer.startswith("https://") or not caep.audience:
        raise UsageError("who signs, and for whom", where=f"{where}: caep", expected="issuer https://…, and audience")


def is_reference(text: str) -> bool:
    """Whether a text names a place rather than being the value."""
    return text.startswith(("env:", "file:"))


def _check_reference(text: str, where: str) -> None:
    if not _REFERENCE.fullmatch(text):
        raise UsageError("not a reference to a secret", where=where, expected="env:NAME or file:PATH", advice=_HOW)
