"""Which OTLP batch this is. Frozen as scheme ``masked-bytes/1``.

A batch has no id. Its identity is the SHA-256 of its bytes after masking: a hash of the bytes before would let a
guess at a short secret be tried against the sealed log.
"""

import msgspec

from custody.model.records import Identity
from custody.sources import identities
from custody.sources.masking import mask
from custody.sources.otel_otlp import secrets

SCHEME = "masked-bytes/1"
_MEMBERS = (b'"resourceSpans"', b'"resourceLogs"', b'"resourceMetrics"')


class _Head(msgspec.Struct, frozen=True, gc=False):
    """What makes a JSON object an OTLP batch: one of these members, and that is an array."""

    resourceSpans: msgspec.Raw = msgspec.Raw(b"")  # noqa: N815
    resourceLogs: msgspec.Raw = msgspec.Raw(b"")  # noqa: N815
    resourceMetrics: msgspec.Raw = msgspec.Raw(b"")  # noqa: N815


_HEAD = msgspec.json.Decoder(_Head)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like an OTLP batch, by its bytes alone."""
    return b'"resource' in raw and any(member in raw for member in _MEMBERS)


def identify(raw: bytes) -> Identity | None:
    """The identity and secrets of one batch; None where it is none. Raises nothing."""
    try:
        head = _HEAD.decode(raw)
        raw.decode("utf-8")
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if not any(bytes(part).startswith(b"[") for part in (head.resourceSpans, head.resourceLogs, head.resourceMetrics)):
        return None
    spans, unsure = secrets.find(raw)
    return Identity(SCHEME, identities.hashed(mask(raw, spans)), spans, unsure)
