"""What a call says of itself: metadata of the token, audited headers, the trace that it is part of."""

import re
from functools import lru_cache

import msgspec

from custody.sources.vault_audit import shapes
from custody.sources.vault_audit.masks import is_secret_name
from custody.sources.vault_audit.records import Auth, Request

Headers = dict[str, object] | None
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*")
_NO_TRACE = "0" * 32
_SHORT = 256
"""What is said of so many characters is remembered: the metadata of a workload comes with each of its calls."""
_ELSEWHERE = frozenset({"user-agent", "traceparent"})


def tags(auth: Auth, request: Request) -> str | None:
    """Compact JSON, sorted by name, of what the log says in free words; None where it says nothing.

    Metadata of the token by its names, ``display_name``, the serial of a client certificate, and audited headers by
    their names in lower case, which are the client's word. Metadata goes before a header of the same name.
    """
    headers = request.headers or {}
    facts = {name.lower(): text for name in headers if (text := _header(headers, name))}
    facts = {name: text for name, text in facts.items() if name not in _ELSEWHERE}
    facts.update({name: text for name, text in (auth.metadata or {}).items() if isinstance(text, str)})
    facts["display_name"] = auth.display_name or ""
    facts["client_certificate_serial_number"] = request.client_certificate_serial_number or ""
    kept = {name: text for name, text in sorted(facts.items()) if _may_stay(name, text)}
    return msgspec.json.encode(kept).decode() if kept else None


def agent(headers: Headers) -> str | None:
    """The user agent, where that header is audited."""
    return _named(headers, "user-agent")


def trace(headers: Headers) -> str | None:
    """The W3C trace id, where the header ``traceparent`` is audited."""
    found = _TRACEPARENT.fullmatch(_named(headers, "traceparent") or "")
    return found[1] if found and found[1] != _NO_TRACE else None


def _named(headers: Headers, wanted: str) -> str | None:
    text = next((_header(headers, name) for name in headers or {} if name.lower() == wanted), None)
    return text if text and _may_stay(wanted, text) else None


def _header(headers: Headers, name: str) -> str | None:
    values = (headers or {}).get(name)
    listed = values if isinstance(values, list) else [values]
    return ", ".join(value for value in listed if isinstance(value, str)) or None


def _may_stay(name: str, text: str) -> bool:
    """Whether the kept copy has this value as it is: no HMAC, no mask, nothing with the name or shape of a secret."""
    return _known(name, text) if len(name) + len(text) <= _SHORT else _stays(name, text)


def _stays(name: str, text: str) -> bool:
    raw = text.encode("utf-8", "replace")
    if not text or is_secret_name(name) or text.startswith(("hmac-sha256:", "custody-masked:")):
        return False
    return b"custody-masked:" not in raw and not (shapes.has_hint(raw) and shapes.inside(raw, 0, len(raw)))


_known = lru_cache(maxsize=4096)(_stays)
