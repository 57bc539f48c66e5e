"""Signed webhooks: whether a message comes from who holds the secret, and was sent now.

Standard Webhooks 1.0 (the specification of that name): headers ``webhook-id``, ``webhook-timestamp`` (seconds) and
``webhook-signature``, a list of ``v1,`` and the base64 HMAC-SHA256 over ``id.timestamp.body``. A secret is ``whsec_``
and the base64 of 24 to 64 bytes. Signatures of other versions in the list are passed over.
"""

from __future__ import annotations

import binascii
import hmac
import re
from base64 import b64decode
from hashlib import sha256

import msgspec

from custody.errors import IdentityRefused, UsageError

TOLERANCE = 5 * 60
"""Seconds by which a timestamp may differ from now, either way."""

MOST_SIGNATURES = 8
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_PREFIX = "whsec_"


class Message(msgspec.Struct, frozen=True):
    """A message as it came in: its three headers and its body exactly as received."""

    id: str
    timestamp: str
    signature: str
    body: bytes


class Secret:
    """The secret of one webhook. It shows itself nowhere."""

    __slots__ = ("_key",)

    def __init__(self, text: str, where: str) -> None:
        """The secret as it is written; ``where`` names its place in errors. UsageError where it is none."""
        try:
            key = b64decode(text.strip().removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not text.strip().startswith(_PREFIX) or not 24 <= len(key) <= 64:
            raise UsageError(
                "not the secret of a webhook", where=where, expected=f"{_PREFIX} and the base64 of 24 to 64 bytes"
            )
        self._key = key

    def __repr__(self) -> str:
        return "Secret(…)"

    def code(self, message: Message) -> bytes:
        """The authentication code of a message."""
        return hmac.digest(self._key, f"{message.id}.{message.timestamp}.".encode() + message.body, sha256)


def verify(message: Message, secret: Secret, now: int) -> None:
    """IdentityRefused where the message is not from who holds the secret, or not of now (µs)."""
    if not _ID.fullmatch(message.id) or not _TIMESTAMP.fullmatch(message.timestamp):
        raise _refused("its headers are not those of a signed webhook", "malformed")
    expected, held = secret.code(message), False
    for each in message.signature.split(" ")[:MOST_SIGNATURES]:
        version, _, encoded = each.partition(",")
        held |= version == "v1" and hmac.compare_digest(_decoded(encoded), expected)
    if not held:
        raise _refused("its signature is not that of its secret", "bad-signature")
    if abs(now // 1_000_000 - int(message.timestamp)) > TOLERANCE:
        raise _refused(f"it was not sent within {TOLERANCE // 60} minutes of now", "stale")


def _decoded(encoded: str) -> bytes:
    try:
        return b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _refused(message: str, reason: str) -> IdentityRefused:
    return IdentityRefused(f"the webhook is refused: {message}", reason=f"webhook-{reason}")
