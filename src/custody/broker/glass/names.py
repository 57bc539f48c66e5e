"""What the things of a break-glass credential are called, and what their texts may be. Pure."""

from __future__ import annotations

import base64
import re

from custody.broker.clock import Random, ulid
from custody.errors import SourceError, UsageError
from custody.model import keys

MOST_TEXT = 500
"""Characters of a reason."""
MOST_NAME = 200
"""Characters of the key of a person."""

GLASS = re.compile(r"bg-[0-9a-hjkmnp-tv-z]{26}", re.ASCII)
"""The id of a break-glass credential."""
LOG = re.compile(r"(?:glass|drill)-[0-9a-hjkmnp-tv-z]{26}", re.ASCII)
"""The id of a log that is no broker's: of what was done with a glass, or of a drill."""
_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)


def glass_id(now: int, random: Random) -> str:
    """The id of a new break-glass credential: ``bg-`` and a ULID."""
    return f"bg-{ulid(now, random)}"


def log_id(now: int, random: Random) -> str:
    """The id of a new log of what is done with a glass: as long as the id of a broker may be."""
    return f"glass-{ulid(now, random)}"


def drill_id(now: int, random: Random) -> str:
    """The id of a drill, and of its log."""
    return f"drill-{ulid(now, random)}"


def account_key(broker: str, account: str) -> str:
    """The workload that a break-glass credential is issued to: it has to be a name of an identity of the register.

    UsageError where ``account`` is no name.
    """
    if not _ACCOUNT.fullmatch(account):
        raise UsageError("not a name", where="--account", found=repr(account[:60]), expected="a-z, 0-9 and -")
    return keys.scoped("break_glass", broker, account)


def person_of(text: str, where: str) -> str:
    """The key of a person (``person:SYSTEM:NAME``). UsageError where it is none."""
    try:
        found = keys.parse(text)
    except SourceError:
        found = None
    if found is None or found.type != "person" or len(text) > MOST_NAME or not text.isprintable():
        raise UsageError("not the key of a person", where=where, found=repr(text[:60]), expected="person:SYSTEM:NAME")
    return str(found)


def reason_of(text: str, where: str = "--reason") -> str:
    """A reason as it is kept. UsageError where there is none, or it could steer a terminal."""
    cleaned = text.strip()
    if not cleaned or len(cleaned) > MOST_TEXT or not cleaned.isprintable():
        raise UsageError("not a reason", where=where, expected=f"1 to {MOST_TEXT} printable characters")
    return cleaned


def written(raw: bytes) -> str:
    """Bytes as text: base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def bytes_of(text: str, length: int | None = None) -> bytes:
    """The inverse of ``written``, of exactly the text that it gives. ValueError for any other text or length."""
    raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if written(raw) != text or (length is not None and len(raw) != length):
        raise ValueError("not base64url of that length")
    return raw
