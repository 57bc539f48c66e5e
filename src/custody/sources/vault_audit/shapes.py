"""Secrets that their shape gives away, whatever they are called: tokens of Vault, JSON Web Tokens, private keys.

Frozen with the schemes that mask by it (``vault-audit/1``, ``vault-server/1``, ``vault-audit-hash/1``).
"""

import re
from functools import lru_cache

import msgspec

from custody.model.records import SecretSpan
from custody.sources.masking import mask

_TOKEN = (
    rb"(?<![A-Za-z0-9_.-])(?:hv[sbr]\.[A-Za-z0-9_-]{8,}|[sbr]\.[A-Za-z0-9]{24,}(?:\.[A-Za-z0-9]{1,16})?"
    rb"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]*)"
)
_TOKENS = re.compile(_TOKEN)
_USERINFO = re.compile(rb"://[^/@:\s\"]{0,128}:([^@/\s\"]{1,512})@")
_SHORT = 256
"""Texts of so many characters are remembered: paths, addresses and names come again and again."""
_PRIVATE = b"PRIVATE KEY-----"
_MASKED = re.compile(rb"custody-masked:[a-z]+")
_HIDDEN = re.compile(rb"(?:hmac-sha256:[0-9a-f]{64}|custody-masked:[a-z]+)?")
_HMAC = re.compile(r"hmac-sha256:([0-9a-f]{64})")
_HMAC_LENGTH = len("hmac-sha256:") + 64
_TEXT = msgspec.json.Decoder(str)
_DOTTED = re.compile(rb"\.(?:(?<=hv[sbr]\.)|[A-Za-z0-9]{24})")
_HINT = re.compile(rb"hv[sbr]\.|[sbr]\.[A-Za-z0-9]{24}|eyJ|://|PRIVATE KEY-----|\\u")


def hmac_of(text: object) -> str | None:
    """The 64 hex digits of a value that an audit device replaced by its HMAC, None for anything else."""
    found = _HMAC.fullmatch(text) if isinstance(text, str) and len(text) == _HMAC_LENGTH else None
    return found[1] if found else None


def is_hidden(content: bytes) -> bool:
    """Whether the content of a string is an HMAC, empty, or a mask already."""
    return _HIDDEN.fullmatch(content) is not None


def has_hint(raw: bytes) -> bool:
    """False only where ``inside`` finds nothing in any part of ``raw``: a quick look."""
    return (
        b"eyJ" in raw or b"://" in raw or b"\\u" in raw or b"PRIVATE KEY-----" in raw or _DOTTED.search(raw) is not None
    )


def inside(raw: bytes, start: int, end: int) -> list[SecretSpan]:
    """The secrets by shape in ``raw[start:end]``, the content of one string (or a line of text)."""
    if _HINT.search(raw, start, end) is None:
        return []
    content = raw[start:end]
    if b"\\u" in content and _has_shape(_plain(content)):
        return [SecretSpan(start, end, "token")]
    if _PRIVATE in content:
        return [SecretSpan(start, end, "key")]
    spans = [SecretSpan(start + found.start(), start + found.end(), "token") for found in _TOKENS.finditer(content)]
    spans += [SecretSpan(start + found.start(1), start + found.end(1), "password") for found in _userinfo(content)]
    return apart(spans)


def cleaned(text: str | None) -> str | None:
    """A text without the secrets that its shape shows, as the kept copy has it; None for an empty one."""
    if not text:
        return None
    return _known(text) if len(text) <= _SHORT else _cleaned(text)


def _cleaned(text: str) -> str:
    raw = text.encode("utf-8", "replace")
    if not has_hint(raw):
        return text
    spans = inside(raw, 0, len(raw))
    return mask(raw, spans).decode() if spans else text


_known = lru_cache(maxsize=4096)(_cleaned)


def _userinfo(content: bytes) -> list[re.Match[bytes]]:
    return [found for found in _USERINFO.finditer(content) if not _MASKED.fullmatch(found.group(1))]


def apart(spans: list[SecretSpan]) -> list[SecretSpan]:
    """The spans in order, those that overlap as one."""
    result: list[SecretSpan] = []
    for span in sorted(spans, key=lambda one: (one.start, one.end)):
        if result and span.start < result[-1].end:
            last = result[-1]
            result[-1] = SecretSpan(last.start, max(last.end, span.end), last.secret)
        else:
            result.append(span)
    return result


def _has_shape(content: bytes) -> bool:
    return _PRIVATE in content or _TOKENS.search(content) is not None or _USERINFO.search(content) is not None


def _plain(content: bytes) -> bytes:
    try:
        return _TEXT.decode(b'"' + content + b'"').encode("utf-8", "replace")
    except (msgspec.DecodeError, UnicodeError):
        return content
