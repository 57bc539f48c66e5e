"""Which line of a broker's log this is, and where its secrets are. Frozen as scheme ``custody-broker/1``."""

import re

import msgspec

from custody.errors import SourceError
from custody.model import brokered
from custody.model.records import Identity
from custody.sources import pasted_secrets
from custody.sources.secret_spans import Found

SCHEME = "custody-broker/1"
MARKS = (b"custody.broker/1",)
_QUOTED = b'"custody.broker/1"'
_BROKER = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)
_CHAIN = re.compile(brokered.CHAIN, re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Head(msgspec.Struct, frozen=True, gc=False):
    """What names a line."""

    custody: str
    broker: str
    seq: int


_HEAD = msgspec.json.Decoder(Head)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like a line of a broker, by its bytes alone."""
    return _QUOTED in raw and b'"seq"' in raw


def identify(raw: bytes) -> Identity | None:
    """``BROKER/SEQ``; None where it is no line of this format. Raises nothing."""
    return pasted_secrets.identified(SCHEME, raw, _name, secrets)


def secrets(raw: bytes) -> Found:
    """A broker writes none; what callers put into a purpose or a reason is searched as any text is."""
    return pasted_secrets.find(raw)


def entry_of(kept: bytes) -> brokered.Entry:
    """The entry of a line. SourceError or msgspec's errors where it is not as the format says."""
    entry = brokered.DECODER.decode(kept)
    _expect(_is_head(entry.custody, entry.broker, entry.seq), "$", "custody.broker/1, a broker's name and seq from 1")
    _expect(_DIGEST.fullmatch(entry.prev) is not None, "$.prev", "64 hex digits")
    _expect(entry.chain is None or _CHAIN.fullmatch(entry.chain) is not None, "$.chain", "a chain id")
    return entry


def _name(raw: bytes) -> str | None:
    head = _HEAD.decode(raw)
    return f"{head.broker}/{head.seq}" if _is_head(head.custody, head.broker, head.seq) else None


def _is_head(custody: str, broker: str, seq: int) -> bool:
    return custody == brokered.FORMAT and _BROKER.fullmatch(broker) is not None and 1 <= seq < 1 << 53


def _expect(holds: bool, where: str, expected: str) -> None:
    if not holds:
        raise SourceError("not as the format says", where=where, expected=expected)
