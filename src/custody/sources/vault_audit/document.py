"""Where the audit entry stands in a record, and whether it is one: the entry itself, or after a prefix.

Frozen with the scheme ``vault-audit/1``.
"""

from functools import lru_cache
from typing import NamedTuple

import msgspec

PREFIXED = "prefixed"
"""The form of a line with text before the object: syslog, or the device's ``prefix``."""

_OBJECT = msgspec.json.Decoder(dict[str, object])
_CALLS = frozenset({"request", "response"})
_KMIP = frozenset({"kmip-request", "kmip-response"})


class Document(NamedTuple):
    """The JSON object of a record: where it begins in the bytes, and its value."""

    offset: int
    entry: dict[str, object]


@lru_cache(maxsize=4)
def document(raw: bytes) -> Document | None:
    """The audit entry in ``raw``, None where there is none.

    Raises what msgspec raises for bytes that are no JSON object after their prefix. The latest entries are remembered,
    for a line is looked at more than once: nobody may change them.
    """
    offset = max(raw.find(b"{"), 0)
    entry = _OBJECT.decode(raw[offset:])
    return Document(offset, entry) if _is_entry(entry) else None


def _is_entry(value: dict[str, object]) -> bool:
    kind, request = value.get("type"), value.get("request")
    if not isinstance(kind, str) or not isinstance(request, dict):
        return False
    if kind in _KMIP:
        return "time" in value
    return kind in _CALLS and "time" in value and "operation" in request and "path" in request


def texts(value: object, *names: str) -> str | None:
    """The string at the end of a path of member names, None where there is none or it is empty."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value else None
