"""Signatures of ``ssh-keygen -Y sign`` (OpenSSH's PROTOCOL.sshsig, version 1), verified.

    -----BEGIN SSH SIGNATURE-----
    <base64, in lines>
    -----END SSH SIGNATURE-----

The base64 holds ``SSHSIG``, the version, and as strings: public key, namespace, reserved, hash algorithm, signature.
The signature is over ``SSHSIG``, namespace, reserved, hash algorithm and the hash of the message. What is reserved may
hold anything and means nothing. Parsing is strict: lines may have any width, their bytes have one form.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256, sha512

import msgspec

from custody.errors import LogError
from custody.ledger import ssh_keys
from custody.ledger.ssh_keys import Wire, string

MAGIC = b"SSHSIG"
VERSION = 1
MAX_SIGNATURE = 16_384
"""Bytes of the longest armored signature that is read: the largest RSA key makes half of it."""

BEGIN, END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"

HASHES: dict[str, Callable[[bytes], bytes]] = {
    "sha256": lambda data: sha256(data).digest(),
    "sha512": lambda data: sha512(data).digest(),
}


class Signer(msgspec.Struct, frozen=True):
    """Whose signature it is: the key in wire form, its fingerprint (``SHA256:…``), the algorithm of the signature."""

    key: bytes
    fingerprint: str
    algorithm: str


class Parsed(msgspec.Struct, frozen=True):
    """A signature in parts, nothing verified. ``key`` and ``signature`` are in wire form."""

    key: bytes
    namespace: str
    reserved: bytes
    hash_name: str
    signature: bytes

    def signed(self, message: bytes) -> bytes:
        """What the signature is over, for ``message``."""
        parts = (self.namespace.encode(), self.reserved, self.hash_name.encode(), HASHES[self.hash_name](message))
        return MAGIC + b"".join(map(string, parts))


def verify(message: bytes, armored: bytes, namespace: str) -> Signer:
    """Who signed ``message`` for ``namespace``.

    LogError where ``armored`` is not a signature in its one form, is for another namespace or over other bytes, or by a
    key that is too weak or not supported. Whether the key is anybody's is not said: see ``allowed_signers``.
    """
    found = parse(armored)
    if found.namespace != namespace:
        raise LogError(
            "the signature is for another purpose", found=_named(found.namespace), expected=_named(namespace)
        )
    algorithm = ssh_keys.verify(found.key, found.signature, found.signed(message))
    return Signer(found.key, ssh_keys.fingerprint(found.key), algorithm)


def parse(armored: bytes) -> Parsed:
    """The parts of an armored signature. LogError where it is not one in its one form."""
    wire = Wire(_dearmored(armored), "SSH signature")
    if wire.take(len(MAGIC)) != MAGIC:
        raise LogError("not an SSH signature", expected="SSHSIG at its beginning")
    version = wire.number()
    if version != VERSION:
        raise LogError("a version of SSH signatures that is not known", found=str(version), expected=str(VERSION))
    key, namespace, reserved, hash_name, signature = (
        wire.string(), _text(wire.string()), wire.string(), wire.name(), wire.string()
    )  # fmt: skip
    wire.end()
    if not namespace:
        raise LogError("the signature names no purpose", expected="a namespace")
    if hash_name not in HASHES:
        raise LogError("a hash that is not supported", found=hash_name[:60], expected=" or ".join(HASHES))
    return Parsed(key, namespace, reserved, hash_name, signature)


def _dearmored(armored: bytes) -> bytes:
    if len(armored) > MAX_SIGNATURE:
        raise LogError("a signature is too long", found=f"{len(armored)} bytes", expected=f"at most {MAX_SIGNATURE}")
    lines = armored.decode("latin-1").removesuffix("\n").split("\n")
    if len(lines) < 3 or lines[0] != BEGIN or lines[-1] != END:
        raise LogError("not an armored SSH signature", found=repr(lines[0][:60]), expected=f"{BEGIN} to {END}")
    body = "".join(lines[1:-1])
    try:
        data = b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or b64encode(data).decode() != body:
        raise LogError("a signature is not base64 in its one form", found=repr(body[:40]))
    return data


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise LogError("a namespace is not UTF-8", found=repr(raw[:60])) from None


def _named(namespace: str) -> str:
    return f"namespace {namespace[:100]!r}"
