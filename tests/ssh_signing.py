"""SSH signatures made for tests, put together here and not by the code under test, so that no ssh-keygen is needed."""

import base64
from collections.abc import Callable
from hashlib import sha256, sha512

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

REGISTER = "custody-register"

Sign = Callable[[bytes], bytes]
"""Gives the signature blob over the bytes that an SSH signature is over."""


def string(data: bytes) -> bytes:
    return len(data).to_bytes(4) + data


def armor(blob: bytes) -> bytes:
    text = base64.b64encode(blob).decode()
    lines = [text[start : start + 70] for start in range(0, len(text), 70)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""]).encode()


def signature(key: bytes, sign: Sign, message: bytes, *, space: str = REGISTER, hash_name: str = "sha512") -> bytes:
    """An armored signature by a key in wire form."""
    digest = (sha256 if hash_name == "sha256" else sha512)(message).digest()
    signed = b"SSHSIG" + b"".join(map(string, (space.encode(), b"", hash_name.encode(), digest)))
    parts = (key, space.encode(), b"", hash_name.encode(), sign(signed))
    return armor(b"SSHSIG" + (1).to_bytes(4) + b"".join(map(string, parts)))


class Person:
    """Somebody with an Ed25519 key, always the same for a number."""

    def __init__(self, name: str, number: int) -> None:
        private = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
        raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.name, self.key = name, string(b"ssh-ed25519") + string(raw)
        self.blob: Sign = lambda data: string(b"ssh-ed25519") + string(private.sign(data))

    def line(self, options: str = "") -> str:
        """Their line of an allowed-signers file."""
        return f"{self.name} {options}{' ' if options else ''}ssh-ed25519 {base64.b64encode(self.key).decode()}\n"

    def sign(self, message: bytes, *, space: str = REGISTER) -> bytes:
        """Their armored signature over ``message``."""
        return signature(self.key, self.blob, message, space=space)


ANN = Person("ann@example.com", 1)
BOB = Person("bob@example.com", 2)
