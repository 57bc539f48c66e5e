"""The key pairs of those who hold a break-glass credential: X25519 (RFC 7748), the private key under a passphrase."""

from __future__ import annotations

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from custody.broker.clock import Random
from custody.broker.glass.names import bytes_of, person_of, written
from custody.errors import UsageError

FORMAT = "custody.glass-holder/1"
LEAST_PASSPHRASE = 12
"""Characters of a passphrase, at least."""


class Holder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who can open a glass with another one: the person's key, and their public key (base64url)."""

    holder: str
    key: str

    @property
    def public(self) -> X25519PublicKey:
        """The public key. ValueError where it is none."""
        return X25519PublicKey.from_public_bytes(bytes_of(self.key, 32))


class HolderFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a holder gives to those who prepare a glass."""

    custody: str
    holder: str
    key: str


def new_key(random: Random) -> X25519PrivateKey:
    """A new private key."""
    return X25519PrivateKey.from_private_bytes(random(32))


def holder_of(person: str, key: X25519PrivateKey) -> Holder:
    """The public half, under the name of a person. UsageError where that is no person's key."""
    return Holder(person_of(person, "--holder"), written(key.public_key().public_bytes_raw()))


def public_file(holder: Holder) -> bytes:
    """The file for those who prepare a glass: one line of JSON."""
    return msgspec.json.encode(HolderFile(FORMAT, holder.holder, holder.key), order="deterministic") + b"\n"


def read_public(data: bytes, where: str) -> Holder:
    """A holder's public file. UsageError where it is none."""
    try:
        found = msgspec.json.decode(data, type=HolderFile)
        holder = Holder(found.holder, found.key)
        _ = holder.public
    except (msgspec.MsgspecError, ValueError):
        raise UsageError("not the public key of a holder", where=where, expected=FORMAT) from None
    if found.custody != FORMAT:
        raise UsageError("not the public key of a holder", where=where, found=found.custody[:60], expected=FORMAT)
    person_of(holder.holder, where)
    return holder


def private_file(key: X25519PrivateKey, passphrase: str) -> bytes:
    """The private key as PEM (PKCS #8), encrypted. UsageError where the passphrase is too short."""
    if len(passphrase) < LEAST_PASSPHRASE:
        raise UsageError("the passphrase is too short", expected=f"at least {LEAST_PASSPHRASE} characters")
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode()))


def read_private(data: bytes, passphrase: str, where: str) -> X25519PrivateKey:
    """A holder's private key. UsageError where the file is none, or the passphrase is another."""
    try:
        found = load_pem_private_key(data, passphrase.encode())
    except (ValueError, TypeError):
        found = None
    if not isinstance(found, X25519PrivateKey):
        raise UsageError(
            "not the private key of a holder, or another passphrase", where=where, expected="X25519, encrypted PEM"
        )
    return found
