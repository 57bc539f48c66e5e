"""Every reason for which an identity is not believed: a stable word each, and one sentence.

A refusal names the rule that did not hold and, where it helps, what this broker was told to expect. It never holds a
byte of what was presented: what an unverified token says is nobody's word, and a log is no place for it.
"""

from __future__ import annotations

from custody.errors import IdentityRefused

REASONS: dict[str, str] = {
    "no-proof": "nothing was presented that could prove an identity",
    "malformed": "what was presented is no well-formed signed token or certificate",
    "too-large": "what was presented is longer than any token or certificate that is taken",
    "untrusted-issuer": "no issuer or trust domain that this broker trusts is named",
    "token-type": "the token is of a type for another use",
    "algorithm": "the token is signed in a way that is not taken from its issuer, or not with a key of that kind",
    "unknown-key": "no one key of the issuer is the token's",
    "bad-signature": "the signature is not that of the issuer's key",
    "wrong-issuer": "the token is of another issuer",
    "wrong-audience": "the token is for another audience, or for several",
    "token-expired": "the token has expired",
    "not-yet-valid": "the token is not valid yet, or from the future",
    "too-old": "the token was issued too long ago",
    "unconfirmed": "the token is bound to a key that its presenter did not show",
    "replayed": "the token was used before, and its issuer's tokens count once",
    "issuer-unreachable": "the keys of the issuer cannot be had now",
    "issuer-address": "the issuer's documents lie where this broker must not go",
    "issuer-document": "the issuer's documents are not what they must be",
    "svid-name": "there is not exactly one SPIFFE id of a workload in it",
    "svid-usage": "the certificate may not be used as a workload's",
    "svid-chain": "the certificate does not chain to the bundle of its trust domain",
    "svid-expired": "the certificate is not valid at this time",
    "act-malformed": "the act or may_act claim is malformed, too deep, or where it is not signed",
    "actor-not-allowed": "the subject's token does not let this actor act",
    "actor-delegated": "the actor's own token is delegated: the actor must prove itself",
}
"""What each reason means, as users see it."""

_ADVICE = {
    "token-expired": "Ask the issuer for a new token and present that.",
    "wrong-audience": "Ask the issuer for a token for exactly this audience.",
    "untrusted-issuer": "Present a token of an issuer that the broker file names, or add the issuer there.",
    "too-old": "Ask the issuer for a new token and present that.",
    "replayed": "Ask the issuer for a new token for each request.",
    "issuer-unreachable": "See that the broker reaches the issuer's discovery document, or give its keys as a file.",
    "issuer-address": "If the issuer is inside your network, set private = true for it in the broker file.",
}


def refused(reason: str, *, where: str = "", expected: str = "", found: str = "") -> IdentityRefused:
    """The error for ``reason``. ``where``, ``expected`` and ``found`` must come from settings or from constants."""
    return IdentityRefused(
        REASONS[reason], reason=reason, where=where, expected=expected, found=found, advice=_ADVICE.get(reason, "")
    )
