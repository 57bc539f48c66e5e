"""Who a person or a pipeline is, by an OpenID Connect ID token: checked once, offline, and then forgotten.

The token (a JSON Web Token, RFC 7519, compact and signed, RFC 7515) is checked against a file of the issuer's keys
(JWKS, RFC 7517). Nothing of the token is kept, shown or written but who it names: an error never quotes it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from custody.errors import UsageError
from custody.model.register import Signature

if TYPE_CHECKING:
    from joserfc.jwk import GuestProtocol, Key, KeySet

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
"""Signatures that are taken: asymmetric ones only, never ``none`` or ``HS256``."""

LEEWAY = 60
"""Seconds by which two clocks may differ."""

MAX_TOKEN, MAX_JWKS = 1 << 15, 1 << 20
"""Bytes of the longest files that are read."""

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,190}", re.ASCII)
_ISSUER = re.compile(r"https://[A-Za-z0-9._~:/?@!$&'()*+;=%-]{1,500}", re.ASCII)


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a token that was checked said, as it is sealed. ``key`` is the RFC 7638 thumbprint of the issuer's key.

    ``anchor`` is the SHA-256 (hex) of the JWKS file, ``issued`` and ``expires`` are seconds since 1970-01-01T00:00:00Z.
    """

    issuer: str
    audience: str
    principals: tuple[str, ...]
    key: str
    anchor: str
    issued: int
    expires: int

    def signature(self) -> Signature:
        """Who it names, as any signature says it."""
        return Signature(method="oidc", principals=self.principals, key=self.key, anchor=self.anchor)


class _Claims(msgspec.Struct):
    """The claims that are read; those without a default are demanded."""

    iss: str
    sub: str
    aud: str | list[str]
    exp: int | float
    iat: int | float
    nbf: int | float | None = None
    email: str | None = None
    email_verified: bool | str | None = None


def check(token: bytes, jwks: bytes, *, issuer: str, audience: str, now: int, where: tuple[str, str]) -> Checked:
    """Check a token at ``now`` (µs) for an exact ``issuer`` and ``audience``; ``where`` names the two files in errors.

    UsageError where it does not hold, where it is for several audiences (any of them could hand it on), and where the
    library for it is not installed.
    """
    if not _ISSUER.fullmatch(issuer):
        raise UsageError("not an issuer", where="--issuer", found=issuer[:200], expected="an https:// URL")
    try:
        from joserfc.errors import JoseError
    except ImportError:
        advice = "Install it with: pip install 'custody[oidc]'"
        raise UsageError("tokens cannot be checked: joserfc is not installed", advice=advice) from None
    keys = _keys(jwks, where[1])
    used: list[Key] = []
    try:
        plain = _decoded(token, keys, used)
    except (JoseError, ValueError, TypeError) as error:
        raise UsageError("the token does not verify", where=where[0], found=_reason(error)) from None
    claims = _claims(plain, where[0])
    _held(claims, issuer, audience, now / 1_000_000, where[0])
    return Checked(
        issuer=issuer,
        audience=audience,
        principals=_principals(issuer, claims),
        key=used[0].thumbprint(),
        anchor=sha256(jwks).hexdigest(),
        issued=int(claims.iat),
        expires=int(claims.exp),
    )


def _keys(jwks: bytes, where: str) -> KeySet:
    """The issuer's public keys. A symmetric or private key in the file is an error: it is no secret any more."""
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet, OctKey

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # short keys are refused when they are used
            found = KeySet.import_key_set(msgspec.json.decode(jwks))
    except (JoseError, msgspec.MsgspecError, ValueError, TypeError, KeyError, AttributeError):
        raise UsageError("not a set of public keys", where=where, expected="JWKS (RFC 7517)") from None
    if any(isinstance(key, OctKey) or key.is_private for key in found):
        raise UsageError("the set holds a secret key", where=where, expected="public keys only")
    return found


def _decoded(token: bytes, keys: KeySet, used: list[Key]) -> object:
    """The claims of a token whose signature holds; ``used`` gets the key. JoseError or ValueError where it does not."""
    from joserfc import jwt

    def chosen(signed: GuestProtocol) -> Key:
        key = _key(keys, signed.headers())
        used.append(key)
        return key

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # RFC 9864 wants Ed25519 for EdDSA; issuers are not there yet
        return jwt.decode(token.strip(), chosen, algorithms=list(ALGORITHMS)).claims


def _key(keys: KeySet, header: dict[str, object]) -> Key:
    """The one key that a token names, or the only one there is where it names none."""
    kid = header.get("kid")
    found = [key for key in keys if kid is None or key.as_dict().get("kid") == kid]
    if len(found) != 1:
        raise ValueError("no key of the set is the token's" if not found else "several keys could be the token's")
    (key,) = found
    told = key.as_dict()
    if told.get("use", "sig") != "sig" or told.get("alg", header.get("alg")) != header.get("alg"):
        raise ValueError("its key is for another use")
    return key


def _claims(plain: object, where: str) -> _Claims:
    try:
        return msgspec.convert(plain, _Claims)
    except msgspec.ValidationError as error:
        raise UsageError("the token lacks a claim", where=where, found=str(error)) from None


def _held(claims: _Claims, issuer: str, audience: str, now: float, where: str) -> None:
    """UsageError where the token is for another, or not for now. What it says instead is not shown."""
    audiences: Collection[str] = {claims.aud} if isinstance(claims.aud, str) else set(claims.aud)
    wrong = (
        (claims.iss != issuer, "the token is of another issuer", issuer),
        (audiences != {audience}, "the token is for another audience, or for several", audience),
        (not claims.sub or len(claims.sub) > 500, "the token names nobody", "a subject of 1 to 500 characters"),
        (claims.exp <= now - LEEWAY, "the token has expired", f"a token of now, give or take {LEEWAY} s"),
        (claims.iat > now + LEEWAY, "the token is from the future", f"a token of now, give or take {LEEWAY} s"),
        ((claims.nbf or 0) > now + LEEWAY, "the token is not valid yet", f"a token of now, give or take {LEEWAY} s"),
    )
    for failed, message, expected in wrong:
        if failed:
            raise UsageError(message, where=where, expected=expected)


def _principals(issuer: str, claims: _Claims) -> tuple[str, ...]:
    """``issuer#subject``, and the address where the issuer says that it is verified.

    Commas, spaces and controls of a subject are escaped: names stand in lists, and a branch may be called almost
    anything.
    """
    subject = re.sub(
        r"[%,\s]|[^\x20-\x7e]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), claims.sub
    )
    names = [f"{issuer}#{subject}"]
    if claims.email_verified is True and claims.email and _EMAIL.fullmatch(claims.email):
        names.append(claims.email)
    return tuple(names)


def _reason(error: Exception) -> str:
    """What is wrong in words of ours: a library's message could quote the token."""
    words = {
        "BadSignatureError": "a signature that is not its key's",
        "UnsupportedAlgorithmError": f"an algorithm other than {', '.join(ALGORITHMS[:4])}",
        "DecodeError": "no signed token",
        "InvalidPayloadError": "claims that are not JSON",
        "ExceededSizeError": "a token that is too long",
        "InvalidKeyTypeError": "a key of another type than the signature",
        "UnsupportedKeyAlgorithmError": "a key for another algorithm",
        "UnsupportedKeyUseError": "a key for another use",
    }
    if type(error) is ValueError and str(error).endswith(("is the token's", "be the token's", "another use")):
        return str(error)
    return words.get(type(error).__name__, "no token that can be checked")
