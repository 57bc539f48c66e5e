"""The innermost bytes once more, for framing: exactly those that were surveyed, or a SourceError.

A file can change between the hash pass and the framing. Nothing of changed content is ever handed on: what is small
is checked before it is used, what is large is read twice, the second time block by block against the first.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from custody.errors import SourceError
from custody.model.records import Acquisition
from custody.readers.limits import DEFAULT, Limits
from custody.readers.streams import BLOCK, Stream
from custody.readers.unpack import Entry, Outer, entries, opened, shown


class Content:
    """The bytes of one innermost file. ``whole`` holds them where they are small enough, else ``blocks`` streams them.

    ``blocks`` may be called again; on a file that changed meanwhile it raises SourceError before giving any byte of
    the block that differs. ``lead`` are the first bytes of the file where these are a later piece of it.
    """

    def __init__(
        self, whole: bytes | None, size: int, stream: Callable[[], Iterator[bytes]], lead: bytes = b""
    ) -> None:
        self.whole = whole
        self.size = size
        self.lead = lead
        self._stream = stream

    @classmethod
    def of(cls, data: bytes, lead: bytes = b"") -> "Content":
        """Bytes at hand."""
        return cls(data, len(data), lambda: iter(data[at : at + BLOCK] for at in range(0, len(data), BLOCK)), lead)

    def blocks(self) -> Iterator[bytes]:
        """All bytes, in order, in blocks."""
        return self._stream()


def open_content(path: Path, acquisition: Acquisition, limits: Limits = DEFAULT) -> Content:
    """The bytes of one acquisition; raises SourceError where they are not those that were surveyed any more."""
    for _, content in open_contents(path, [acquisition], limits):
        if isinstance(content, SourceError):
            raise content
        return content
    raise changed(shown(str(path)), acquisition)


def open_contents(
    path: Path, acquisitions: Sequence[Acquisition], limits: Limits = DEFAULT
) -> Iterator[tuple[Acquisition, Content | SourceError]]:
    """The bytes of several acquisitions of one outer file, in the file's order, with one walk through it.

    Each content must be used before the next is asked for only in so far as memory matters. Acquisitions that are not
    found any more come last, as SourceErrors.
    """
    wanted = {acquisition.member: acquisition for acquisition in acquisitions}
    try:
        with opened(path, limits) as outer:
            digest = None if outer.whole is None else hashlib.sha256(outer.whole).hexdigest()
            for entry in _wanted(outer, wanted, limits):
                acquisition = wanted.pop(entry.name)
                yield acquisition, _content(path, entry, acquisition, limits, trusted=digest == acquisition.received)
    except SourceError as error:
        yield from ((acquisition, error) for acquisition in wanted.values())
        return
    yield from ((acquisition, changed(shown(str(path)), acquisition)) for acquisition in wanted.values())


def _wanted(outer: Outer, wanted: dict[str | None, Acquisition], limits: Limits) -> Iterator[Entry]:
    for entry in entries(outer, limits):
        if isinstance(entry, Entry) and entry.name in wanted:
            yield entry
        if not wanted:
            return


def _content(
    path: Path, entry: Entry, acquisition: Acquisition, limits: Limits, *, trusted: bool
) -> Content | SourceError:
    """``trusted``: the outer bytes are at hand and are those received, so what they decompress to is known."""
    if acquisition.content_size > limits.whole:
        return _large(path, entry.stream, acquisition, limits)
    wanted = acquisition.content_size + (acquisition.problem is None)
    data = entry.stream.read(wanted) if entry.stream.known is None else entry.stream.known[:wanted]
    sound = trusted or hashlib.sha256(data).hexdigest() == acquisition.content
    return (
        Content.of(data) if sound and len(data) == acquisition.content_size else changed(acquisition.path, acquisition)
    )


def _large(path: Path, stream: Stream, acquisition: Acquisition, limits: Limits) -> Content | SourceError:
    whole, marks = hashlib.sha256(), []
    for block in _blocks(stream, acquisition.content_size):
        whole.update(block)
        marks.append(mark_of(block))
    if whole.hexdigest() != acquisition.content or (acquisition.problem is None and stream.peek(1)):
        return changed(acquisition.path, acquisition)
    return Content(None, acquisition.content_size, lambda: _again(path, acquisition, limits, marks))


def _again(path: Path, acquisition: Acquisition, limits: Limits, marks: list[bytes]) -> Iterator[bytes]:
    with opened(path, limits) as outer:
        for entry in _wanted(outer, {acquisition.member: acquisition}, limits):
            blocks = _blocks(entry.stream, acquisition.content_size)
            for mark in marks:
                block = next(blocks, b"")
                if mark_of(block) != mark:
                    raise changed(acquisition.path, acquisition)
                yield block
            return
    raise changed(acquisition.path, acquisition)


def _blocks(stream: Stream, size: int) -> Iterator[bytes]:
    while size > 0 and (block := stream.read(min(BLOCK, size))):
        size -= len(block)
        yield block


def mark_of(block: bytes) -> bytes:
    """What a block is recognised by when it is read again."""
    return hashlib.blake2b(block, digest_size=32).digest()


def changed(where: str, acquisition: Acquisition) -> SourceError:
    """The error for bytes that are not those that were surveyed."""
    member = "" if acquisition.member is None else f": {acquisition.member}"
    return SourceError(
        "the file changed after it was hashed; nothing of it was taken",
        where=f"{where}{member}",
        expected=f"content with SHA-256 {acquisition.content}",
        advice="audit it again when it rests",
    )
