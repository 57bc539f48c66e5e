"""Who signed what is said: checked when it is said, and again from the log alone.

An SSH signature is checked against an allowed-signers file, which is sealed in statements ``signers``. Whoever
derives checks it again, over the sealed bytes, by the sealed file, at the time that was sealed with them; what does
not hold there counts as unsigned. An OIDC token is checked once and not kept: what it said is sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from custody.errors import LogError, UsageError
from custody.ledger import allowed_signers, sshsig
from custody.ledger.allowed_signers import AllowedSigners
from custody.model.register import Signature
from custody.model.times import microseconds
from custody.pipeline import oidc, sealed_text
from custody.pipeline.sealed_text import Sealing, Told
from custody.settings.catalog import Settings

SIGNERS = "signers"
"""The statement that seals an allowed-signers file."""


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody hands over to show who they are: an SSH signature, or a token and how to check it."""

    signature: Path | None = None
    token: Path | None = None
    jwks: Path | None = None
    issuer: str | None = None
    audience: str | None = None


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """A signature that was checked, and what is sealed of it: the armored text and the signers file, or the token's."""

    signature: Signature
    armored: str | None = None
    signers: bytes | None = None
    token: oidc.Checked | None = None


def checked(settings: Settings, given: Given, data: bytes, namespace: str, now: str) -> Signed | None:
    """Who signed ``data``, None where nobody did; ``now`` is RFC 3339. UsageError where that does not hold."""
    tokens = (given.token, given.jwks, given.issuer, given.audience)
    if given.signature is not None and any(each is not None for each in tokens):
        raise UsageError("a signature and a token", expected="one of them")
    if given.signature is not None:
        return _ssh(settings, given.signature, data, namespace, microseconds(now) or 0)
    if any(each is not None for each in tokens):
        return _token(given, microseconds(now) or 0)
    return None


def verified(data: bytes, armored: bytes, namespace: str, signers: AllowedSigners, at: int) -> Signature:
    """Whose SSH signature over ``data`` this is, by ``signers`` at ``at`` (µs). LogError where it is nobody's."""
    signer = sshsig.verify(data, armored, namespace)
    principals = signers.principals(signer.key, namespace, at)
    if not principals:
        raise LogError(
            "the allowed signers give the key no name",
            found=f"{signer.fingerprint}: {signers.why_not(signer.key, namespace, at)}",
            expected="a line with its key, valid then, for this namespace, and a name that is written out",
        )
    return Signature(method="ssh", principals=principals, key=signer.fingerprint, anchor=signers.digest)


def seal(writer: Sealing, reader: Told, signed: Signed | None, now: str) -> dict[str, object]:
    """The fields of a statement that is signed so; seals the signers file before it, where it is new."""
    if signed is None:
        return {"signature": None, "signers": None, "oidc": None}
    if signed.signers is not None and signed.signature.anchor not in _sealed(reader):
        sealed_text.seal(writer, SIGNERS, signed.signers, {"at": now})
    anchor = signed.signature.anchor if signed.signers is not None else None
    token = None if signed.token is None else msgspec.to_builtins(signed.token)
    return {"signature": signed.armored, "signers": anchor, "oidc": token}


def of_statement(reader: Told, fields: Mapping[str, object], data: bytes, namespace: str) -> Signature | None:
    """Who signed a sealed statement over ``data``, from what is sealed alone; None where nobody did, or it is wrong."""
    armored, at = fields.get("signature"), fields.get("at")
    if isinstance(armored, str) and isinstance(at, str):
        signers = _sealed(reader).get(str(fields.get("signers")))
        if signers is None:
            return None
        try:
            return verified(data, armored.encode(), namespace, signers, microseconds(at) or 0)
        except (LogError, ValueError):
            return None
    try:
        return msgspec.convert(fields.get("oidc"), oidc.Checked).signature()
    except msgspec.ValidationError:
        return None


def last_signers(reader: Told) -> str | None:
    """The SHA-256 of the signers file that was sealed last."""
    said = reader.statements(SIGNERS)
    return str(said[-1].entry.fields.get("sha256")) if said else None


def _sealed(reader: Told) -> dict[str, AllowedSigners]:
    """Every signers file that was sealed, by its SHA-256."""
    found = {}
    for said in reader.statements(SIGNERS):
        signers = allowed_signers.parse(sealed_text.read(reader, said), f"operations:{said.leaf}")
        found[signers.digest] = signers
    return found


def _ssh(settings: Settings, path: Path, data: bytes, namespace: str, at: int) -> Signed:
    if settings.signers is None:
        raise UsageError(
            "whose the key is cannot be said",
            where=str(path),
            expected="an allowed-signers file",
            advice="Name it with --signers FILE; its format is that of ssh-keygen(1).",
        )
    text = read_bounded(settings.signers, allowed_signers.MAX_FILE)
    armored = read_bounded(path, sshsig.MAX_SIGNATURE)
    try:
        signers = allowed_signers.parse(text, str(settings.signers))
        signature = verified(data, armored, namespace, signers, at)
    except LogError as error:
        raise _refused(error, path) from None
    return Signed(signature=signature, armored=armored.decode(), signers=text)


def _refused(error: LogError, path: Path) -> UsageError:
    """What is wrong with what somebody handed over: nothing was done, and no store is damaged."""
    advice = "ssh-keygen -Y sign -f KEY -n NAMESPACE FILE signs a file; it must not change afterwards."
    where = error.where if ":" in error.where else str(path)
    return UsageError(
        error.message, where=where, found=error.found, expected=error.expected, advice=error.advice or advice
    )


def _token(given: Given, now: int) -> Signed:
    if given.token is None or given.jwks is None or given.issuer is None or given.audience is None:
        raise UsageError("a token is checked by all four", expected="--token-file, --jwks, --issuer and --audience")
    found = oidc.check(
        read_bounded(given.token, oidc.MAX_TOKEN),
        read_bounded(given.jwks, oidc.MAX_JWKS),
        issuer=given.issuer,
        audience=given.audience,
        now=now,
        where=(str(given.token), str(given.jwks)),
    )
    return Signed(signature=found.signature(), token=found)


def read_bounded(path: Path, most: int) -> bytes:
    """The bytes of a file of at most ``most``; UsageError where it is longer."""
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise UsageError("the file is too long", where=str(path), expected=f"at most {most} bytes")
    return data
