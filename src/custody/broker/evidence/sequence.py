"""The next line of a broker's log: number, hash of the line before, time. See ``model.brokered`` for the format."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from custody.broker.clock import Clock
from custody.errors import EvidenceUnavailable
from custody.model.brokered import FORMAT, NO_LINE, Body, Entry, digest_of, line
from custody.model.times import text

LONGEST = 1 << 20
"""Bytes of one line at most, as a log's reader may be asked to hold it."""

SECOND = 1_000_000


class Sequence:
    """Makes the lines of one broker, in order. ``seq`` and ``prev`` are those of the last line that was made."""

    def __init__(self, broker: str, clock: Clock, *, seq: int = 0, prev: str = NO_LINE) -> None:
        self._broker, self._clock = broker, clock
        self.seq, self.prev = seq, prev

    def next(self, body: Body, chain: str | None) -> tuple[Entry, bytes]:
        """The entry and its line, line end included. EvidenceUnavailable where it cannot be written as one."""
        entry = Entry(
            custody=FORMAT,
            broker=self._broker,
            seq=self.seq + 1,
            prev=self.prev,
            at=moment(self._clock.now()),
            body=body,
            chain=chain,
        )
        try:
            found = line(entry)
        except (UnicodeEncodeError, msgspec.MsgspecError) as error:
            raise _unwritable(type(error).__name__, "text in Unicode") from None
        if len(found) > LONGEST:
            raise _unwritable(f"{len(found)} bytes", f"at most {LONGEST}")
        self.seq, self.prev = entry.seq, digest_of(found)
        return entry, found + b"\n"


def moment(microseconds: int) -> str:
    """RFC 3339 in UTC, always with microseconds."""
    seconds, rest = divmod(microseconds, SECOND)
    return f"{_second(seconds)}.{rest:06d}Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return str(text(seconds * SECOND)).removesuffix("Z")


def _unwritable(found: str, expected: str) -> EvidenceUnavailable:
    """Nothing of the entry is repeated: what it holds may be what somebody sent to get it into a log."""
    return EvidenceUnavailable(
        "what happened cannot be written as one line", reason="entry-unwritable", found=found, expected=expected
    )
