"""Identities as they are sealed, and the secrets of JSON records: what every source of JSON does alike.

Frozen like the schemes that rest on it: a change here is a new scheme of every source that uses it.
"""

import hashlib

from custody.model.records import Identity
from custody.sources import secret_spans

LONGEST = 256
"""Bytes of UTF-8 that an identity may have before it is hashed."""


def canonical(text: str) -> str:
    """An identity as it is sealed: itself, or ``sha256:<hex>`` where it is over 256 bytes or does not print.

    Raises UnicodeEncodeError for a lone surrogate.
    """
    if len(text) <= LONGEST and text.isascii() and text.isprintable():
        return text
    encoded = text.encode()
    if len(encoded) > LONGEST or not text.isprintable():
        return f"sha256:{hashlib.sha256(encoded).hexdigest()}"
    return text


def hashed(raw: bytes) -> str:
    """The identity of a record whose log gives it none: its bytes."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def with_secrets(scheme: str, identity: str, raw: bytes) -> Identity:
    """The identity of one valid JSON value with the places of what is named or shaped like a secret in it."""
    found = secret_spans.find(raw)
    return Identity(scheme, identity, found.spans, found.unsure)
