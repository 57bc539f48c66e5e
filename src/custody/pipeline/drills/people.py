"""The people of a drill: invented, with keys that are drawn for it and stand in no file.

What they sign is an SSH signature as ``ssh-keygen -Y sign`` makes it (PROTOCOL.sshsig of OpenSSH) with an Ed25519 key
(RFC 8709); it is checked by the code that checks every other.
"""

from __future__ import annotations

import base64
from hashlib import sha512

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from custody.broker.clock import Random
from custody.ledger.ssh_keys import ED25519
from custody.ledger.sshsig import MAGIC
from custody.pipeline.incidents.sealing import Signer

LINE = 70
HASH = "sha512"


def _string(data: bytes) -> bytes:
    """A string of RFC 4251."""
    return len(data).to_bytes(4) + data


class Person:
    """Somebody who signs. The private key is in memory alone."""

    def __init__(self, name: str, random: Random) -> None:
        self.name = name
        self._private = Ed25519PrivateKey.from_private_bytes(random(32))
        raw = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key = _string(ED25519.encode()) + _string(raw)

    def __repr__(self) -> str:
        return f"Person({self.name!r})"

    @property
    def line(self) -> str:
        """Their line of an allowed-signers file."""
        return f"{self.name} {ED25519} {base64.b64encode(self.key).decode()}\n"

    @property
    def signer(self) -> Signer:
        """What signs steps for them."""
        return Signer(key=self.key, sign=self.sign)

    def sign(self, message: bytes, namespace: str) -> bytes:
        """Their armored signature over ``message`` in a namespace."""
        space, hashed = namespace.encode(), HASH.encode()
        told = b"".join(map(_string, (space, b"", hashed, sha512(message).digest())))
        blob = _string(ED25519.encode()) + _string(self._private.sign(MAGIC + told))
        parts = b"".join(map(_string, (self.key, space, b"", hashed, blob)))
        text = base64.b64encode(MAGIC + (1).to_bytes(4) + parts).decode()
        lines = [text[start : start + LINE] for start in range(0, len(text), LINE)]
        return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""]).encode()


class People:
    """Who takes part: one who asks, two who approve."""

    def __init__(self, random: Random) -> None:
        self.ann = Person("ann@drill.invalid", random)
        self.bob = Person("bob@drill.invalid", random)
        self.carl = Person("carl@drill.invalid", random)

    @property
    def everybody(self) -> tuple[Person, ...]:
        """All of them."""
        return (self.ann, self.bob, self.carl)

    @property
    def signers(self) -> str:
        """The allowed-signers file."""
        return "".join(each.line for each in self.everybody)

    @property
    def response(self) -> str:
        """The response file: all of them may approve, so that only who asked is refused, and for that alone."""
        names = ", ".join(f'"{each.name}"' for each in self.everybody)
        return f"[groups]\nresponders = [{names}]\napprovers = [{names}]\n"
