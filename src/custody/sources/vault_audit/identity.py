"""Which audit line this is, and where its secrets are. Frozen as scheme ``vault-audit/1``.

Vault gives a request an id and its lines none. One request has a line ``request`` and a line ``response``, and every
audit device writes both, at its own time and with its own HMAC key; an active node writes what a standby forwarded
with a mark. So the identity is the kind of line, the request's id, ``forwarded`` where the line is marked, and what
tells the device: 16 hex digits of the SHA-256 of one HMAC in the line, the first there is of a fixed list. Copies of
one line have one identity, lines of two devices have two, and a copy in which anything else was altered is a conflict.
A line without any HMAC (``log_raw=true``, calls without a token) has its own time in the place of the HMAC. Lines
without an id (kmip, help) are identified by the hash of the entry as it is kept.
"""

import hashlib
from functools import lru_cache

import msgspec

from custody.model.records import Identity
from custody.sources import identities
from custody.sources.masking import mask
from custody.sources.vault_audit import hidden, masks
from custody.sources.vault_audit.document import document, texts
from custody.sources.vault_audit.shapes import hmac_of

SCHEME = "vault-audit/1"
_OF_DEVICE = (
    ("request", "client_token"),
    ("auth", "client_token"),
    ("request", "client_token_accessor"),
    ("auth", "accessor"),
    ("response", "auth", "client_token"),
    ("response", "auth", "accessor"),
    ("response", "wrap_info", "token"),
)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like an audit entry, by its bytes alone."""
    return b'"request"' in raw and b'"type"' in raw and b'"time"' in raw


def identify(raw: bytes) -> Identity | None:
    """The identity and secrets of one line; None where it is no audit entry. Raises nothing."""
    try:
        found = document(raw)
        if found is None:
            return None
        secrets, unsure = ((), False) if hidden.is_hidden(raw, found) else masks.found(raw, found)
        return Identity(SCHEME, named(raw) or _hashed(mask(raw, secrets)), secrets, unsure)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


@lru_cache(maxsize=4)
def named(raw: bytes) -> str | None:
    """The identity of a line with a request id, None for one without; the same for the kept copy."""
    found = document(raw)
    request = texts(found.entry, "request", "id") if found is not None else None
    if found is None or request is None:
        return None
    forwarded = ":forwarded" if _is_forwarded(found.entry) else ""
    return identities.canonical(f"{found.entry['type']}:{request}{forwarded}{_device(found.entry)}")


def _is_forwarded(entry: dict[str, object]) -> bool:
    return entry.get("forwarded") is True or texts(entry, "forwarded_from") is not None


def _device(entry: dict[str, object]) -> str:
    """What tells the device that wrote the line: of an HMAC, or else the time."""
    for names in _OF_DEVICE:
        digest = hmac_of(texts(entry, *names))
        if digest is not None:
            return f":{_short(digest)}"
    hashed = sorted(_hmacs(entry.get("request"))) or sorted(_hmacs(entry.get("response")))
    return f":{_short(hashed[0])}" if hashed else f"@{texts(entry, 'time') or ''}"


def _hmacs(call: object) -> set[str]:
    """The HMACs directly in the data of a request or a response."""
    data = call.get("data") if isinstance(call, dict) else None
    values = data.values() if isinstance(data, dict) else ()
    return {digest for value in values if (digest := hmac_of(value)) is not None}


def _short(digest: str) -> str:
    return hashlib.sha256(digest.encode()).hexdigest()[:16]


def _hashed(kept: bytes) -> str:
    return identities.hashed(kept[max(kept.find(b"{"), 0) :])
