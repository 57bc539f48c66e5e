r"""Cosignatures (C2SP tlog-cosignature, Ed25519, type byte 0x04): a witness says that it saw a checkpoint, and when.

    — <witness name> <base64 of 4 bytes of key id, 8 bytes of POSIX seconds big-endian, 64 bytes of signature>

The signature is over ``cosignature/v1\n``, ``time <seconds>\n`` and the whole text of the note. The key id is the first
four bytes of SHA-256(name ‖ 0x0A ‖ 0x04 ‖ public key). What is signed does not name the witness: a key is one
witness's.
"""

import re
from collections.abc import Sequence
from hashlib import sha256

import msgspec

from custody.errors import LogError
from custody.ledger.note import Note, Signature, Signer, Verifier, decode64, encode64, line, parse_note

COSIGNATURE = 0x04
"""The type byte of a timestamped Ed25519 cosignature."""

LENGTH = 8 + 64
MAX_TIME = 1 << 37
"""POSIX seconds that a cosignature may name, at most: past the year 6000, and a time that a calendar has."""

_VKEY = re.compile(r"([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)\Z")


class Cosigned(msgspec.Struct, frozen=True):
    """A cosignature that holds: by which witness, and at what time it says so (POSIX seconds)."""

    name: str
    time: int


class Witness(msgspec.Struct, frozen=True):
    """A witness as those who verify know it: its name and the 32 bytes of its Ed25519 public key."""

    name: str
    key: bytes

    @classmethod
    def parse(cls, vkey: str) -> "Witness":
        """The witness that a key text of type 0x04 names. LogError where it is not one."""
        match = _VKEY.match(vkey)
        data = decode64(match[3]) if match else b""
        if match is None or data[:1] != bytes([COSIGNATURE]):
            raise LogError(
                "not the key of a witness", found=repr(vkey[:200]), expected="name+hash+key with key type 04"
            )
        witness = cls(match[1], Verifier(match[1], data[1:]).key)
        if witness.vkey != vkey:
            raise LogError("the key of a witness contradicts itself", found=repr(vkey[:200]), expected=witness.vkey)
        return witness

    @property
    def key_id(self) -> bytes:
        """The first four bytes of the hash of name and key. It names a key and proves nothing."""
        return sha256(self.name.encode() + b"\n" + bytes([COSIGNATURE]) + self.key).digest()[:4]

    @property
    def vkey(self) -> str:
        """The key as text."""
        return f"{self.name}+{self.key_id.hex()}+{encode64(bytes([COSIGNATURE]) + self.key)}"

    def check(self, text: str, signature: Signature) -> Cosigned:
        """What a signature line of this witness says of a note's text. LogError where it does not hold."""
        value = signature.value
        if len(value) != LENGTH:
            raise LogError("a cosignature has the wrong length", found=f"{len(value)} bytes", expected=f"{LENGTH}")
        time = int.from_bytes(value[:8], "big")
        if not 0 < time < MAX_TIME:
            raise LogError("a cosignature has no time", found=str(time), expected="POSIX seconds")
        if not Verifier(self.name, self.key).verify(message(text, time), value[8:]):
            raise LogError("a cosignature is wrong", where=f"note cosigned by {self.vkey}")
        return Cosigned(self.name, time)


class Cosigner:
    """The private key of a witness. It never shows its seed."""

    __slots__ = ("_signer", "witness")

    def __init__(self, name: str, seed: bytes) -> None:
        self._signer = Signer(name, seed)
        self.witness = Witness(name, self._signer.verifier.key)

    def cosign(self, text: str, time: int) -> Signature:
        """Cosign the text of a note at ``time`` (POSIX seconds)."""
        if not 0 < time < MAX_TIME:
            raise LogError("not a time to cosign at", found=str(time), expected="POSIX seconds")
        signed = self._signer.signature(message(text, time)).value
        return Signature(self.witness.name, self.witness.key_id, time.to_bytes(8, "big") + signed)


def message(text: str, time: int) -> bytes:
    """The bytes that a cosignature signs."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def cosignatures(note: Note, witnesses: Sequence[Witness]) -> tuple[Cosigned, ...]:
    """The cosignatures of known witnesses on a note, in its order; those of others are not looked at.

    LogError where a known witness's is wrong: the note is then not what it says.
    """
    known = {(witness.name, witness.key_id): witness for witness in witnesses}
    found = []
    for signature in (*note.signatures, *note.others):
        witness = known.get((signature.name, signature.key_id))
        if witness is not None:
            found.append(witness.check(note.text, signature))
    return tuple(found)


def with_signatures(data: bytes, more: Sequence[Signature]) -> bytes:
    """The note with more signature lines at its end; one that is there already is not repeated."""
    have = {(one.name, one.key_id) for one in parse_note(data).others}
    fresh = "".join(line(one) for one in more if (one.name, one.key_id) not in have)
    whole = data + fresh.encode()
    parse_note(whole)
    return whole
