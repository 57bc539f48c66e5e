"""The file of a break-glass credential: format ``custody.glass/1`` (docs/break-glass.md).

One JSON object, deterministic: keys sorted, no spaces, a line end. A file that is written in any other way is refused,
so that there is no byte that could be changed without showing.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from custody.broker.backends.backend import Secret
from custody.broker.glass.holders import Holder
from custody.errors import UsageError

FORMAT = "custody.glass/1"
MOST_BYTES = 1 << 20
_ENCODER = msgspec.json.Encoder(order="deterministic")


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two holders (by index) and what only both can open.

    ``ephemeral`` is the X25519 key that ``box`` was sealed with, for this pair alone; ``signer`` the Ed25519 key whose
    private half is in the box: what it signs, both of this pair stand for.
    """

    first: int
    second: int
    ephemeral: str
    signer: str
    box: str


class Sealed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A break-glass credential under seal.

    ``broker`` and ``prepared`` (a ``seq``) say where its preparation stands in the broker's log; the entry after that
    names the SHA-256 of this file. ``chain`` is the credential's, ``keys`` those by which the target's log knows it.
    ``box`` holds the credential; everything else in the file is its associated data.
    """

    custody: str
    glass: str
    broker: str
    prepared: int
    chain: str
    backend: str
    type: str
    keys: tuple[str, ...]
    not_after: str
    holders: tuple[Holder, ...]
    pairs: tuple[Pair, ...]
    box: str

    def names(self, pair: Pair) -> tuple[str, str]:
        """The people of a pair."""
        return self.holders[pair.first].holder, self.holders[pair.second].holder

    @property
    def signers(self) -> dict[str, tuple[str, str]]:
        """Whose each signing key is."""
        return {each.signer: self.names(each) for each in self.pairs}


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """A credential out of its file: what opens something, and what is no secret."""

    secrets: dict[str, Secret]
    facts: dict[str, str]


def encoded(sealed: Sealed) -> bytes:
    """The bytes of the file."""
    return _ENCODER.encode(sealed) + b"\n"


def digest_of(sealed: Sealed) -> str:
    """The SHA-256 (hex) of the file."""
    return sha256(encoded(sealed)).hexdigest()


def bound(sealed: Sealed) -> bytes:
    """What the boxes of the pairs are bound to: the file without any box."""
    empty = tuple(msgspec.structs.replace(each, box="") for each in sealed.pairs)
    return _ENCODER.encode(msgspec.structs.replace(sealed, pairs=empty, box=""))


def bound_all(sealed: Sealed) -> bytes:
    """What the credential's own box is bound to: the file without that box."""
    return _ENCODER.encode(msgspec.structs.replace(sealed, box=""))


def read(data: bytes, where: str) -> Sealed:
    """The file. UsageError where it is none, or is not written as the format says."""
    try:
        found = msgspec.json.decode(data[:MOST_BYTES], type=Sealed)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise UsageError("not a break-glass file", where=where, expected=FORMAT) from None
    if found.custody != FORMAT:
        raise UsageError("not a break-glass file", where=where, found=found.custody[:60], expected=FORMAT)
    numbers = range(len(found.holders))
    sound = all(each.first in numbers and each.second in numbers and each.first < each.second for each in found.pairs)
    if not sound or encoded(found) != data:
        raise UsageError("the break-glass file was changed", where=where, expected="exactly what was sealed")
    return found
