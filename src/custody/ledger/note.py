"""Signed notes (C2SP signed-note), with Ed25519 signatures (type byte 0x01).

    <text, which ends in a line feed>
    <empty line>
    — <key name> <base64 of 4 bytes of key id and the signature>      (one line or more)

The signatures are over the text with its final line feed, without the empty line. A verifier key is written
``<name>+<key id, 8 hex digits>+<base64 of the type byte and the public key>``, and the key id is the first four bytes
of SHA-256(name ‖ 0x0A ‖ type byte ‖ public key). Parsing is strict: what is read is encoded again and compared.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from hashlib import sha256

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from custody.errors import LogError

ED25519 = 0x01
"""The type byte of an Ed25519 note signature."""

MAX_NOTE = 1_000_000
"""Bytes in the longest note that is read."""

MAX_SIGNATURES = 64
"""Signature lines in a note that is read; the specification asks for at least 16."""

_DASH = "\u2014 "
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")


class Signature(msgspec.Struct, frozen=True):
    """One signature line: ``key_id`` is 4 bytes, ``value`` the bytes after it."""

    name: str
    key_id: bytes
    value: bytes


class Note(msgspec.Struct, frozen=True):
    """A note. ``signatures`` are those that were verified, ``others`` those of keys that nobody asked about."""

    text: str
    signatures: tuple[Signature, ...]
    others: tuple[Signature, ...] = ()


class Verifier(msgspec.Struct, frozen=True):
    """A public key with its name. ``key`` is the 32 bytes of an Ed25519 public key."""

    name: str
    key: bytes

    def __post_init__(self) -> None:
        """Refuse a name or key that no note could carry."""
        _check_name(self.name)
        if len(self.key) != 32:
            raise LogError("not an Ed25519 public key", found=f"{len(self.key)} bytes", expected="32 bytes")

    @classmethod
    def parse(cls, vkey: str) -> "Verifier":
        """The verifier that a key text names. LogError where it is not one, or not Ed25519."""
        name, _, rest = vkey.partition("+")
        _, _, encoded = rest.partition("+")
        data = decode64(encoded)
        if data[:1] != bytes([ED25519]):
            raise LogError("not an Ed25519 verifier key", found=f"type {data[:1].hex() or 'none'}", expected="01")
        verifier = cls(name, data[1:])
        if verifier.vkey != vkey:
            raise LogError("a verifier key contradicts itself", found=repr(vkey[:200]), expected=verifier.vkey)
        return verifier

    @property
    def key_id(self) -> bytes:
        """The first four bytes of the hash of name and key. It names a key and proves nothing."""
        return sha256(self.name.encode() + b"\n" + bytes([ED25519]) + self.key).digest()[:4]

    @property
    def vkey(self) -> str:
        """The key as text, to be given to those who verify."""
        return f"{self.name}+{self.key_id.hex()}+{encode64(bytes([ED25519]) + self.key)}"

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is this key's over ``message``."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Signer:
    """A private key with its name. It never shows its seed."""

    __slots__ = ("_key", "verifier")

    def __init__(self, name: str, seed: bytes) -> None:
        if len(seed) != 32:
            raise LogError("not an Ed25519 seed", found=f"{len(seed)} bytes", expected="32 bytes")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = Verifier(name, self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    @property
    def name(self) -> str:
        """The name of the key; a log's is its origin."""
        return self.verifier.name

    @property
    def vkey(self) -> str:
        """The public key as text."""
        return self.verifier.vkey

    def signature(self, message: bytes) -> Signature:
        """Sign ``message``."""
        return Signature(self.name, self.verifier.key_id, self._key.sign(message))


def sign(text: str, signers: Sequence[Signer]) -> bytes:
    """The note of ``text``, signed by each signer in order. LogError where the text cannot be a note's."""
    if not text.endswith("\n") or not is_text(text):
        raise LogError("not the text of a note", found=repr(text[-40:]), expected="text that ends in a line feed")
    if not 1 <= len(signers) <= MAX_SIGNATURES:
        raise LogError("a note needs signers", found=str(len(signers)), expected=f"1 to {MAX_SIGNATURES}")
    message = text.encode()
    lines = [line(signer.signature(message)) for signer in signers]
    return message + b"\n" + "".join(lines).encode()


def parse_note(data: bytes) -> Note:
    """A note with nothing verified: every signature is among ``others``. LogError where it is not a note."""
    if len(data) > MAX_NOTE:
        raise LogError("a note is too long", found=f"{len(data)} bytes", expected=f"at most {MAX_NOTE}")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise LogError("a note is not UTF-8", where=f"byte {error.start}") from None
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not lines.endswith("\n") or not is_text(whole):
        raise LogError("not a signed note", expected="text, an empty line, signature lines, no control characters")
    signatures = tuple(signature_lines(lines[:-1].split("\n")))
    return Note(f"{text}\n", (), signatures)


def open_note(data: bytes, verifiers: Sequence[Verifier]) -> Note:
    """The note, verified.

    LogError where it is not a note, where a signature of a known (name, key id) is wrong, or where no known key
    signed. Signatures of unknown keys are carried in ``others`` and not believed.
    """
    note = parse_note(data)
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    message = note.text.encode()
    good, others = [], []
    for signature in note.others:
        verifier = known.get((signature.name, signature.key_id))
        if verifier is None:
            others.append(signature)
        elif verifier.verify(message, signature.value):
            good.append(signature)
        else:
            raise LogError("a signature is wrong", where=f"note signed by {verifier.vkey}")
    if not good:
        names = ", ".join(signature.name for signature in others)
        keys = " or ".join(verifier.vkey for verifier in verifiers)
        raise LogError("the note is not signed by a known key", found=names, expected=keys)
    return Note(note.text, tuple(good), tuple(others))


def is_text(text: str) -> bool:
    """Whether ``text`` may stand in a note: UTF-8 without control characters other than the line feed."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return not _CONTROL.search(text)


def encode64(data: bytes) -> str:
    """Standard base64 (RFC 4648 section 4)."""
    return base64.b64encode(data).decode()


def decode64(text: str) -> bytes:
    """The bytes of standard base64 in its one form; LogError otherwise.

    The decoder alone accepts stray bits in the last character, so the result is encoded again and compared.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if encode64(data) != text:
        raise LogError("not base64 in its one form", found=repr(text[:100]))
    return data


def signature_lines(lines: Sequence[str]) -> Iterator[Signature]:
    """The signatures in lines without their line feeds; LogError where one is not a signature line."""
    if len(lines) > MAX_SIGNATURES:
        raise LogError("a note has too many signatures", found=str(len(lines)), expected=f"at most {MAX_SIGNATURES}")
    for each in lines:
        name, space, encoded = each.removeprefix(_DASH).partition(" ")
        if not each.startswith(_DASH) or not space:
            raise LogError("not a signature line", found=repr(each[:100]), expected="dash, key name, base64")
        _check_name(name)
        data = decode64(encoded)
        if len(data) < 5:
            raise LogError("a signature is too short", found=f"{len(data)} bytes", expected="5 or more")
        yield Signature(name, data[:4], data[4:])


def line(signature: Signature) -> str:
    """A signature as its line in a note, with the line feed."""
    return f"{_DASH}{signature.name} {encode64(signature.key_id + signature.value)}\n"


def _check_name(name: str) -> None:
    if not name or "+" in name or any(letter.isspace() for letter in name) or not is_text(name):
        raise LogError("not a key name", found=repr(name[:100]), expected="text without spaces and '+'")
