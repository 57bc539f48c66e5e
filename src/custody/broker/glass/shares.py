"""Two people at two machines: the first gives their half, sealed to the second, who opens. ``custody.glass-share/1``.

A share opens nothing by itself, and nothing for anybody but the one to whom it is sealed.
"""

from __future__ import annotations

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from custody.broker.clock import Random
from custody.broker.glass.file import Sealed, digest_of
from custody.broker.glass.names import bytes_of, written
from custody.broker.glass.sealing import Opened, derived, half, index_of, open_with, pair_of
from custody.errors import UsageError

FORMAT = "custody.glass-share/1"
_INFO = b"custody.glass-share/1"
_NONCE = bytes(12)
_ENCODER = msgspec.json.Encoder(order="deterministic")


class Share(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One holder's half for a pair, for the other's eyes. ``file`` is the SHA-256 (hex) of the glass file.

    ``giver`` and ``taker`` are people; ``box`` holds the half and the giver's reason, bound to all the rest.
    """

    custody: str
    glass: str
    file: str
    giver: str
    taker: str
    ephemeral: str
    box: str


class _Inside(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    half: str
    reason: str

    def __repr__(self) -> str:
        return "_Inside(…)"


def give(sealed: Sealed, key: X25519PrivateKey, taker: str, reason: str, random: Random) -> Share:
    """The half of the holder of ``key``, for the holder ``taker``. UsageError where they are no pair of the glass."""
    mine = index_of(sealed, key, "--key")
    theirs = next((number for number, each in enumerate(sealed.holders) if each.holder == taker), None)
    if theirs is None:
        names = ", ".join(each.holder for each in sealed.holders)
        raise UsageError("nobody who holds this glass", where="--to", found=repr(taker[:60]), expected=names)
    inside = _Inside(written(half(pair_of(sealed, mine, theirs), key)), reason)
    ephemeral = X25519PrivateKey.from_private_bytes(random(32))
    share = Share(
        custody=FORMAT,
        glass=sealed.glass,
        file=digest_of(sealed),
        giver=sealed.holders[mine].holder,
        taker=taker,
        ephemeral=written(ephemeral.public_key().public_bytes_raw()),
        box="",
    )
    sealing = derived(ephemeral.exchange(sealed.holders[theirs].public), _ENCODER.encode(share), _INFO)
    box = ChaCha20Poly1305(sealing).encrypt(_NONCE, _ENCODER.encode(inside), _ENCODER.encode(share))
    return msgspec.structs.replace(share, box=written(box))


def take(sealed: Sealed, share: Share, key: X25519PrivateKey) -> tuple[Opened, str]:
    """Open the glass with a share and the key of its taker; and the reason of the one who gave it. UsageError."""
    if share.glass != sealed.glass or share.file != digest_of(sealed):
        raise UsageError("a share of another glass", where="--share", found=share.glass[:40], expected=sealed.glass)
    mine = index_of(sealed, key, "--key")
    inside = _opened(share, key)
    giver = next((number for number, each in enumerate(sealed.holders) if each.holder == share.giver), mine)
    pair = pair_of(sealed, giver, mine)
    halves = {giver: bytes_of(inside.half, 32), mine: half(pair, key)}
    return open_with(sealed, pair, halves[pair.first], halves[pair.second]), inside.reason


def both(sealed: Sealed, one: X25519PrivateKey, other: X25519PrivateKey) -> Opened:
    """Open the glass with two private keys in one place. UsageError where they are not those of two holders."""
    keys = {index_of(sealed, one, "--key"): one, index_of(sealed, other, "--key"): other}
    pair = pair_of(sealed, min(keys), max(keys))
    return open_with(sealed, pair, half(pair, keys[pair.first]), half(pair, keys[pair.second]))


def encoded(share: Share) -> bytes:
    """The bytes of a share's file."""
    return _ENCODER.encode(share) + b"\n"


def read(data: bytes, where: str) -> Share:
    """A share's file. UsageError where it is none."""
    try:
        found = msgspec.json.decode(data, type=Share)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise UsageError("not a share of a glass", where=where, expected=FORMAT) from None
    if found.custody != FORMAT or encoded(found) != data:
        raise UsageError("not a share of a glass", where=where, found=found.custody[:60], expected=FORMAT)
    return found


def _opened(share: Share, key: X25519PrivateKey) -> _Inside:
    empty = _ENCODER.encode(msgspec.structs.replace(share, box=""))
    try:
        secret = key.exchange(X25519PublicKey.from_public_bytes(bytes_of(share.ephemeral, 32)))
        plain = ChaCha20Poly1305(derived(secret, empty, _INFO)).decrypt(_NONCE, bytes_of(share.box), empty)
        found = msgspec.json.decode(plain, type=_Inside)
        bytes_of(found.half, 32)
    except (InvalidTag, ValueError, msgspec.MsgspecError):
        raise UsageError("the share does not open", where="--share", found="another key, or a changed file") from None
    return found
