"""What a caller presents, and what proves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from custody.model.broker_terms import Actor, Proof

TOKEN_JWT = "urn:ietf:params:oauth:token-type:jwt"  # noqa: S105  # a name of RFC 8693
TOKEN_ID = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105  # a name of RFC 8693
TOKEN_ACCESS = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  # a name of RFC 8693


class Presented(msgspec.Struct, frozen=True, kw_only=True):
    """A token or certificate as it came in. ``token`` is never kept, shown or logged: repr hides it.

    ``type`` is the RFC 8693 token type, empty for a certificate; ``certificate`` is the client's chain of a mutually
    authenticated TLS connection (DER, leaf first), as the server's own TLS layer gave it, never a header.
    """

    token: bytes = b""
    type: str = TOKEN_JWT
    certificate: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return f"Presented({self.type or 'certificate'}, …)"


class Proved(msgspec.Struct, frozen=True, kw_only=True):
    """A proof, and the act chain that its token itself carried (the word of its issuer), the outermost first."""

    proof: Proof
    actors: tuple[Actor, ...] = ()
    may_act: Mapping[str, str] | None = None


class Prover(Protocol):
    """One way to prove an identity, with the trust it was given."""

    def knows(self, presented: Presented) -> bool:
        """Whether this prover is the one for it: by the unverified issuer of a token, or by there being a certificate.

        At most one prover knows anything presented; none: the issuer is not trusted.
        """
        ...

    async def prove(self, presented: Presented, now: int) -> Proved:
        """The identity, at ``now`` (µs). IdentityRefused with a stable reason; the token is never quoted."""
        ...
