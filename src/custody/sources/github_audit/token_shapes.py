r"""Where the secrets of GitHub's records are: by name as everywhere, and by the shapes of GitHub's tokens on top.

Shapes: ``ghp_``, ``gho_``, ``ghs_``, ``ghu_``, ``ghr_`` and ``github_pat_`` tokens, JSON Web Tokens, tokens in the
query or the user part of an address, and the signature of a webhook delivery (it lets its secret be guessed at).
``hashed_token`` holds no secret but a SHA-256, by which uses are joined: it stays where it is one.
Frozen with the identity schemes of the sources that use it.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from custody.model.records import SecretSpan
from custody.sources import masking, secret_names, secret_spans
from custody.sources.escapes import plain
from custody.sources.secret_spans import Found

_SHAPES = re.compile(
    rb"((?:gh[pousr]_|github_pat_)[A-Za-z0-9_.-]{16,})"
    rb"|(?:(?<![A-Za-z0-9_-])|(?<=\\[nrtbf]))(eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?)"
    rb"|(?i:[?&](?:access_|id_)?token=)([^&\"\\\s#]+)"
    rb"|://[^/:@\"\\\s]{1,256}:([^/@\"\\\s]{1,512})@"
)
_SIGNATURE = re.compile(rb"(?i:x-hub-signature(?:-256)?)\\*\"[ \t\r\n]*:[ \t\r\n]*\\*\"(sha(?:1|256)=[0-9A-Fa-f]+)")
_DIGEST_NAME = re.compile(rb"\"hashed_token\\*\"[ \t\r\n]*:[ \t\r\n]*\\*\"$")
_REACH = 64
_HEX = re.compile(r"[0-9A-Fa-f]{64}")
_SHA256_BYTES = 32


def find(raw: bytes) -> Found:
    """The secrets in ``raw``, one valid JSON value: spans in order and apart, and whether one can not be covered."""
    return secret_spans.NOTHING if secret_names.SUSPECTS.passed(raw) else _found(raw)


@lru_cache(maxsize=4)
def _found(raw: bytes) -> Found:
    """Remembers the latest searches: a record is searched when it is identified and again when it is read."""
    named = secret_spans.find(raw)
    spans = [span for span in named.spans if not _is_digest(raw, span)]
    spans.extend(_shaped(raw))
    return Found(tuple(_apart(spans)), named.unsure)


def masked(raw: bytes) -> bytes:
    """``raw`` with its secrets masked: what identities of records without an id of their own are hashed from."""
    return masking.mask(raw, find(raw).spans)


def digest(text: str | None) -> str | None:
    """A ``hashed_token`` as lower-case hex: base64 (also of the URL alphabet, also unpadded) or hex of 32 bytes.

    None for anything else: no key is made of what is no SHA-256.
    """
    if not text:
        return None
    if _HEX.fullmatch(text):
        return text.lower()
    bare = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        value = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return value.hex() if len(value) == _SHA256_BYTES else None


def _is_digest(raw: bytes, span: SecretSpan) -> bool:
    if _DIGEST_NAME.search(raw, max(0, span.start - _REACH), span.start) is None:
        return False
    return digest(raw[span.start : span.end].replace(b"\\/", b"/").decode("ascii", "replace")) is not None


def _shaped(raw: bytes) -> Iterator[SecretSpan]:
    document = plain(raw)
    for pattern, kind in ((_SHAPES, "token"), (_SIGNATURE, "signature")):
        for found in pattern.finditer(document.text):
            start, end = found.span(found.lastindex or 0)
            if not document.text.startswith(masking.PREFIX, start):
                yield SecretSpan(document.original(start), document.original(end), kind)


def _apart(spans: Iterable[SecretSpan]) -> Iterator[SecretSpan]:
    """The spans in order, those that overlap as one."""
    last: SecretSpan | None = None
    for span in sorted(spans, key=lambda one: (one.start, one.end)):
        if last is not None and span.start < last.end:
            last = SecretSpan(last.start, max(last.end, span.end), last.secret)
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last
