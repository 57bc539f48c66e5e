"""Framing of bytes, with what must hold of any bytes checked on the way."""

import hashlib
from collections.abc import Iterator, Sequence

from custody.model.events import SKIP_REASONS
from custody.model.records import Framed
from custody.readers.content import Content
from custody.readers.framing import Declared, frame
from custody.readers.limits import Limits

BLOCKS = (3, 7, 64)


def in_blocks(data: bytes, size: int) -> Content:
    """``data`` as a content that is only streamed."""

    def blocks() -> Iterator[bytes]:
        return (data[at : at + size] for at in range(0, len(data), size))

    return Content(None, len(data), blocks)


def checked_frames(data: bytes, declared: Sequence[Declared], limits: Limits | None = None) -> list[Framed]:
    """The frames of ``data``: ascending, exact, with known problems, and the same in small blocks."""
    limits = limits or Limits()
    frames = list(frame(Content.of(data), declared, limits))
    reached = 0
    for framed in frames:
        assert framed.at >= reached, frames
        reached = framed.at + framed.length
        assert framed.problem is None or framed.problem in SKIP_REASONS
        part = data[framed.at : reached]
        assert len(part) == framed.length
        assert framed.raw == part if framed.raw is not None else framed.digest == hashlib.sha256(part).digest()
        assert (framed.raw is None) == (framed.problem == "too-large") == (framed.length > limits.max_record)
    assert reached <= len(data)
    for size in BLOCKS:
        assert list(frame(in_blocks(data, size), declared, limits)) == frames
    return frames
