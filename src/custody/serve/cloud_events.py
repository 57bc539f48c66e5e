"""CloudEvents 1.0 in binary mode: the attributes are in headers, and are folded into the one JSON object that is kept.

Specification: CloudEvents HTTP protocol binding 1.0.2 section 3.1 and JSON event format 1.0.2.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from urllib.parse import unquote

import msgspec

from custody.errors import IntentRefused
from custody.readers import json_guard

PREFIX = b"ce-"
_NAME = re.compile(r"[a-z0-9]{1,64}", re.ASCII)
_NEEDED = ("specversion", "id", "source", "type")
_RESERVED = frozenset({"data", "data_base64", "datacontenttype"})
_MOST_VALUE = 4096
_MOST_DEPTH = 100


def is_binary(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request is an event in binary mode."""
    return any(name == b"ce-specversion" for name, _ in headers)


def folded(headers: Iterable[tuple[bytes, bytes]], content_type: str, body: bytes) -> bytes:
    """The event as one line of JSON. IntentRefused where it is no event."""
    event: dict[str, object] = {**_attributes(headers)}
    if body:
        event["datacontenttype"] = content_type
        name, data = _data(content_type, body)
        event[name] = data
    return msgspec.json.encode(event)


def _attributes(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for header, value in headers:
        if not header.startswith(PREFIX):
            continue
        name = header[len(PREFIX) :].decode("latin-1")
        if not _NAME.fullmatch(name) or name in _RESERVED or name in found:
            raise _refused("each attribute once, named by a-z and 0-9")
        found[name] = _value(value)
    if any(not found.get(name) for name in _NEEDED):
        raise _refused(", ".join(f"ce-{name}" for name in _NEEDED))
    if found["specversion"] not in ("1.0", "0.3"):
        raise _refused("ce-specversion 1.0 or 0.3")
    return found


def _value(value: bytes) -> str:
    """A header value is printable ASCII with the rest percent-encoded."""
    try:
        text = unquote(value.decode("ascii"), errors="strict")
    except ValueError:
        raise _refused("percent-encoded UTF-8") from None
    if len(text) > _MOST_VALUE:
        raise _refused(f"values of at most {_MOST_VALUE} characters")
    return text


def _data(content_type: str, body: bytes) -> tuple[str, object]:
    """JSON as it was sent, text as text, anything else in base64."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        if json_guard.check(body, _MOST_DEPTH) is not None:
            raise _refused("data that every parser of JSON reads alike")
        return "data", msgspec.Raw(body)
    if kind.startswith("text/"):
        try:
            return "data", body.decode()
        except UnicodeDecodeError:
            pass
    return "data_base64", base64.b64encode(body).decode()


def _refused(expected: str) -> IntentRefused:
    return IntentRefused("not a CloudEvent", reason="malformed", expected=expected)
