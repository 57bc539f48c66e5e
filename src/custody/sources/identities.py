"""Identities as they are sealed: what every source does alike.

Frozen like the schemes that rest on it: a change here is a new scheme of every source that uses it.
"""

import hashlib

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
