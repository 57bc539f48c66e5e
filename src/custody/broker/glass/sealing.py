"""Sealing a credential so that any two of its holders can open it, and nobody alone.

A random key encrypts the credential (ChaCha20-Poly1305, RFC 8439). For each pair of holders that key, and the seed of a
signing key of the pair's own, are encrypted under HKDF-SHA256 (RFC 5869) of both X25519 secrets (RFC 7748) with an
ephemeral key that is used for this pair alone. Every key encrypts once, so every nonce is zero.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import combinations

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from custody.broker.backends.backend import Secret
from custody.broker.clock import Random
from custody.broker.glass.file import Contents, Pair, Sealed, bound, bound_all
from custody.broker.glass.holders import Holder
from custody.broker.glass.names import bytes_of, written
from custody.errors import UsageError

NEEDED = 2
"""So many holders open a glass together."""
MOST_HOLDERS = 10
_NONCE = bytes(12)
_PAIR = b"custody.glass/1 pair"


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A glass that two holders opened: the credential, and the key that signs for both. It never shows itself."""

    people: tuple[str, str]
    contents: Contents
    signer: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"Opened({', '.join(self.people)}, …)"


def check_holders(holders: tuple[Holder, ...]) -> None:
    """UsageError where they are not two people or more, each with a key of their own."""
    if not NEEDED <= len(holders) <= MOST_HOLDERS:
        raise UsageError("not enough holders, or too many", found=str(len(holders)), expected=f"2 to {MOST_HOLDERS}")
    for what in ("holder", "key"):
        if len({getattr(each, what) for each in holders}) != len(holders):
            raise UsageError("two holders are one", where="--holder", found=f"the same {what} twice")


def seal(draft: Sealed, secrets: dict[str, Secret], facts: dict[str, str], random: Random) -> Sealed:
    """The draft (its ``pairs`` and ``box`` do not matter) with the credential in it, for every pair of its holders."""
    check_holders(draft.holders)
    content = random(32)
    made = [_pair(draft, first, second, random) for first, second in combinations(range(len(draft.holders)), NEEDED)]
    draft = msgspec.structs.replace(draft, pairs=tuple(pair for pair, _, _ in made), box="")
    salt = bound(draft)
    pairs = tuple(
        msgspec.structs.replace(pair, box=written(_box(_pair_key(salt, pair, halves), content + seed, salt)))
        for pair, halves, seed in made
    )
    draft = msgspec.structs.replace(draft, pairs=pairs)
    plain = msgspec.json.encode({"secrets": {name: each.reveal() for name, each in secrets.items()}, "facts": facts})
    return msgspec.structs.replace(draft, box=written(_box(content, plain, bound_all(draft))))


def index_of(sealed: Sealed, key: X25519PrivateKey, where: str) -> int:
    """Which holder's private key it is. UsageError where it is none's."""
    public = written(key.public_key().public_bytes_raw())
    found = next((number for number, each in enumerate(sealed.holders) if each.key == public), None)
    if found is None:
        names = ", ".join(each.holder for each in sealed.holders)
        raise UsageError("the key of nobody who holds this glass", where=where, expected=f"one of {names}")
    return found


def pair_of(sealed: Sealed, one: int, other: int) -> Pair:
    """The pair of two holders. UsageError where they are one, or the file has no such pair."""
    wanted = (min(one, other), max(one, other))
    found = next((each for each in sealed.pairs if (each.first, each.second) == wanted), None)
    if found is None:
        raise UsageError("two different holders open it", found=sealed.holders[one].holder, expected="another holder")
    return found


def half(pair: Pair, key: X25519PrivateKey) -> bytes:
    """What one holder's key gives for a pair: with the other's half it opens the box, alone nothing."""
    try:
        return key.exchange(X25519PublicKey.from_public_bytes(bytes_of(pair.ephemeral, 32)))
    except ValueError:
        raise _changed() from None


def open_with(sealed: Sealed, pair: Pair, first: bytes, second: bytes) -> Opened:
    """Open with the halves of the pair's first and second holder. UsageError where anything does not fit."""
    salt = bound(sealed)
    try:
        inner = _unbox(_pair_key(salt, pair, first + second), bytes_of(pair.box), salt)
        plain = _unbox(inner[:32], bytes_of(sealed.box), bound_all(sealed))
        signer = Ed25519PrivateKey.from_private_bytes(inner[32:])
        found = msgspec.json.decode(plain, type=_Plain)
    except (InvalidTag, ValueError, msgspec.MsgspecError):
        raise _changed() from None
    if written(signer.public_key().public_bytes_raw()) != pair.signer:
        raise _changed()
    secrets = {name: Secret(value) for name, value in found.secrets.items()}
    return Opened(people=sealed.names(pair), contents=Contents(secrets=secrets, facts=found.facts), signer=signer)


class _Plain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    secrets: dict[str, str]
    facts: dict[str, str]

    def __repr__(self) -> str:
        return "_Plain(…)"


def derived(material: bytes, salt: bytes, info: bytes) -> bytes:
    """A key of 32 bytes (HKDF-SHA256), bound to all of ``salt``."""
    return HKDF(SHA256(), 32, sha256(salt).digest(), info).derive(material)


def _pair(draft: Sealed, first: int, second: int, random: Random) -> tuple[Pair, bytes, bytes]:
    ephemeral, seed = X25519PrivateKey.from_private_bytes(random(32)), random(32)
    halves = b"".join(ephemeral.exchange(draft.holders[each].public) for each in (first, second))
    signer = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    public = ephemeral.public_key().public_bytes_raw()
    return Pair(first, second, written(public), written(signer), ""), halves, seed


def _pair_key(salt: bytes, pair: Pair, halves: bytes) -> bytes:
    return derived(halves, salt, _PAIR + bytes((pair.first, pair.second)))


def _box(key: bytes, plain: bytes, with_it: bytes) -> bytes:
    return ChaCha20Poly1305(key).encrypt(_NONCE, plain, with_it)


def _unbox(key: bytes, box: bytes, with_it: bytes) -> bytes:
    return ChaCha20Poly1305(key).decrypt(_NONCE, box, with_it)


def _changed() -> UsageError:
    return UsageError("the glass does not open", found="another key, or a file that was changed")
