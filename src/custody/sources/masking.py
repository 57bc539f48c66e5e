"""Masking: the kept copy of a record is its exact bytes with the contents of secret strings replaced in place."""

import re
from collections.abc import Sequence

import msgspec

from custody.model.records import SecretSpan
from custody.sources import secret_names, secret_spans

PREFIX = b"custody-masked:"
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def mask(raw: bytes, secrets: Sequence[SecretSpan]) -> bytes:
    """``raw`` with each span replaced by ``custody-masked:<class>``; the spans are in order and do not overlap."""
    if not secrets:
        return raw
    pieces: list[bytes] = []
    done = 0
    for span in secrets:
        pieces += (raw[done : span.start], PREFIX, span.secret.encode())
        done = span.end
    pieces.append(raw[done:])
    return b"".join(pieces)


def mask_unknown(raw: bytes) -> bytes | None:
    """``raw``, which no source understands, masked by key names at byte level; None where that is unsure.

    JSON is masked under every key that holds a telling word (token, secret, session …). Anything else that holds such
    a word, is not UTF-8 or holds control characters gives None: its payload must be withheld.
    """
    if not _is_text(raw):
        return None
    if secret_names.TELLING.search(raw) is None and b"\\u" not in raw:
        return raw
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    found = secret_spans.find(raw, broad=True)
    return None if found.unsure else mask(raw, found.spans)


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return _CONTROL.search(raw) is None
