"""What is presented, before anything of it is believed: which token it is, and whether it is bound to its holder."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from hashlib import sha256

from custody.broker.proof.compact import Compact, taken_apart
from custody.broker.proof.prover import TOKEN_ACCESS, TOKEN_ID, TOKEN_JWT, Presented
from custody.broker.proof.refusals import refused
from custody.errors import IdentityRefused

KINDS = frozenset((TOKEN_JWT, TOKEN_ID, TOKEN_ACCESS))
"""The RFC 8693 token types that a JSON Web Token may be presented as."""


def token_of(presented: Presented) -> Compact:
    """The token that is presented, taken apart. IdentityRefused where there is none, or of no type that is a JWT."""
    if not presented.token:
        raise refused("no-proof", expected="a token")
    if presented.type not in KINDS:
        raise refused("token-type", expected="an RFC 8693 type of a JSON Web Token")
    return taken_apart(presented.token)


def glimpsed(presented: Presented) -> Compact | None:
    """The same, None where it cannot be taken apart."""
    try:
        return token_of(presented)
    except IdentityRefused:
        return None


def confirm(claims: Mapping[str, object], presented: Presented, where: str) -> None:
    """A token bound to a key (``cnf``, RFC 7800) counts only from its holder: by the TLS certificate (RFC 8705).

    IdentityRefused ``unconfirmed`` for another certificate or none, and for every binding that is not checked here.
    """
    if "cnf" not in claims:
        return
    found = claims["cnf"]
    own = sha256(presented.certificate[0]).digest() if presented.certificate else None
    shown = base64.urlsafe_b64encode(own).rstrip(b"=").decode() if own else ""
    if not shown or found != {"x5t#S256": shown}:
        raise refused("unconfirmed", where=where, expected="the TLS client certificate of cnf x5t#S256")
