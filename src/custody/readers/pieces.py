"""Pieces of a file that grows: whole lines or rows of it, each acquired by itself and hashed once.

A piece is an acquisition of its own. Its path is the file, its member ``@`` and the offset at which it begins, and its
bytes as received are those of the piece. What tells how the file is read (a line that names the columns, the first line
that fits a framing) may stand before the piece: framing it looks at the start of the file too.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import BinaryIO

import msgspec

from custody.errors import SourceError
from custody.model.records import Acquisition, TextFraming
from custody.readers import gunzip, json_guard, tar, zips
from custody.readers.content import Content, changed, mark_of, open_contents
from custody.readers.limits import DEFAULT, MIB, Limits
from custody.readers.scan import Window
from custody.readers.streams import BLOCK
from custody.readers.texts import HEAD, framing_of, rows_end
from custody.readers.unpack import opened, shown

PIECE = 32 * MIB
"""A piece ends with the first line that ends behind this many bytes."""
TAIL = 4096
"""Bytes before an offset that tell whether a file is still the one that was read so far."""

_MEMBER = re.compile(r"@(0|[1-9][0-9]{0,17})\Z")
_BEFORE = re.compile(rb"(?:[ \t\r]*+\n|\xef\xbb\xbf)*+[ \t\r]*+")


class Manner(StrEnum):
    """How a growing file can be taken: by whole lines, by whole rows of RFC 4180, or only at once, when it rests."""

    LINES = "lines"
    ROWS = "rows"
    WHOLE = "whole"


def member_at(start: int) -> str:
    """The member name of the piece that begins at ``start``."""
    return f"@{start}"


def start_of(member: str | None, received: str, content: str) -> int | None:
    """Where a piece begins in its file (bytes); None for an acquisition that is no piece.

    A member of an archive may have such a name too, but was not received by itself.
    """
    found = _MEMBER.match(member or "")
    return int(found[1]) if found and received == content else None


def manner_of(head: bytes, texts: Sequence[TextFraming]) -> Manner:
    """How the file that begins with ``head`` (at least ``HEAD`` bytes of it, where there are as many) can be taken.

    By lines where its first line is a whole JSON object, or where a line fits a framing of text. Containers, documents
    over several lines, and what nothing recognises are taken at once.
    """
    if head.startswith((gunzip.MAGIC, *zips.MAGICS)) or tar.is_tar(head[:512]):
        return Manner.WHOLE
    lines = head if len(head) >= HEAD else head[: head.rfind(b"\n") + 1]
    framing = framing_of(lines[:HEAD], texts)
    if framing is not None:
        return Manner.ROWS if framing.csv else Manner.LINES
    before = _BEFORE.match(lines)
    first, ended, _ = lines[before.end() if before else 0 :].partition(b"\n")
    if ended and first.startswith(b"{") and isinstance(json_guard.read(first, DEFAULT.max_depth)[1], dict):
        return Manner.LINES
    return Manner.WHOLE


def head_of(path: Path, limits: Limits) -> bytes:
    """The first bytes of a file: a record and a line end of it at most. SourceError where it cannot be read."""
    return b"".join(_read(path, 0, min(limits.max_record, MIB) + 1, limits))


def end_of_lines(path: Path, start: int, size: int, limits: Limits) -> int:
    """Behind the last line end in ``[start, size)``, or behind the first after ``PIECE`` bytes; ``start`` for none."""
    if size - start <= PIECE:
        return _last_line_end(path, start, size, limits)
    end = _last_line_end(path, start, start + PIECE, limits)
    if end > start:
        return end
    at = start + PIECE
    for block in _read(path, at, size - at, limits):
        found = block.find(b"\n")
        if found >= 0:
            return at + found + 1
        at += len(block)
    return start


def end_of_rows(path: Path, start: int, size: int, limits: Limits) -> int:
    """The same for rows of RFC 4180: a line end in a quoted field ends none."""
    window = Window(_read(path, start, size - start, limits), limits.max_record)
    return start + rows_end(window, PIECE)


def tail_of(path: Path, at: int, limits: Limits) -> bytes:
    """SHA-256 of the last ``TAIL`` bytes before ``at``: another one says that the file was written anew."""
    start = max(0, at - TAIL)
    return hashlib.sha256(b"".join(_read(path, start, at - start, limits))).digest()


def ends_a_line(path: Path, at: int, limits: Limits) -> bool:
    """Whether a line ends just before ``at``."""
    return at == 0 or b"".join(_read(path, at - 1, 1, limits)) == b"\n"


def is_whole_record(path: Path, start: int, end: int, limits: Limits) -> bool:
    """Whether ``[start, end)`` is one sound JSON object, though no line end follows it yet."""
    if end - start > limits.max_record:
        return False
    raw = b"".join(_read(path, start, end - start, limits)).strip(b" \t\r\n")
    return raw.startswith(b"{") and isinstance(json_guard.read(raw, limits.max_depth)[1], dict)


def survey_piece(path: Path, start: int, end: int, limits: Limits) -> Acquisition:
    """Hash ``[start, end)`` of a file. SourceError where it cannot be read or has become shorter."""
    hasher, size = hashlib.sha256(), 0
    for block in _read(path, start, end - start, limits):
        hasher.update(block)
        size += len(block)
    if size != end - start:
        raise SourceError("the file became shorter while it was read", where=shown(str(path)))
    return _piece(path, start, hasher.hexdigest(), size)


def open_all(
    path: Path, acquisitions: Sequence[Acquisition], limits: Limits
) -> Iterator[tuple[Acquisition, Content | SourceError]]:
    """The bytes of several acquisitions of one file, whether they are pieces of it or what ``open_contents`` opens."""
    rest: list[Acquisition] = []
    for acquisition in acquisitions:
        start = start_of(acquisition.member, acquisition.received, acquisition.content)
        if start is None:
            rest.append(acquisition)
            continue
        try:
            content: Content | SourceError = open_piece(path, acquisition, start, limits)
        except SourceError as error:
            content = error
        yield acquisition, content
    if rest:
        yield from open_contents(path, rest, limits)


def open_piece(path: Path, acquisition: Acquisition, start: int, limits: Limits) -> Content:
    """The bytes of a piece; raises SourceError where they are not those that were surveyed any more."""
    read = partial(_read, path, start, acquisition.content_size, limits)
    lead = b"".join(_read(path, 0, min(start, HEAD), limits))
    if acquisition.content_size <= limits.whole:
        data = b"".join(read())
        if hashlib.sha256(data).hexdigest() != acquisition.content:
            raise changed(acquisition.path, acquisition)
        return Content.of(data, lead)
    whole, marks = hashlib.sha256(), []
    for block in read():
        whole.update(block)
        marks.append(mark_of(block))
    if whole.hexdigest() != acquisition.content:
        raise changed(acquisition.path, acquisition)
    return Content(None, acquisition.content_size, lambda: _again(read(), acquisition, marks), lead)


def known_pieces(path: Path, known: dict[int, dict[int, set[str]]], size: int, limits: Limits) -> Iterator[Acquisition]:
    """The pieces that are ``known`` and lie one after the other from the start of a file of ``size`` bytes.

    ``known`` gives for an offset the lengths and SHA-256 (hex) of what was acquired from there. Costs one hash.
    """
    at = 0
    while True:
        fitting = {length: those for length, those in known.get(at, {}).items() if 0 < length <= size - at}
        length, digest = _longest(path, at, fitting, limits)
        if not length:
            return
        yield _piece(path, at, digest, length)
        at += length


def _longest(path: Path, at: int, known: dict[int, set[str]], limits: Limits) -> tuple[int, str]:
    """The longest of the ``known`` lengths whose hash is that of the bytes from ``at`` on, and it; 0 where none is."""
    hasher, done, best = hashlib.sha256(), 0, (0, "")
    blocks = _read(path, at, max(known, default=0), limits)
    held = b""
    for length in sorted(known):
        while done + len(held) < length and (block := next(blocks, b"")):
            hasher.update(held)
            done += len(held)
            held = block
        trial = hasher.copy()
        trial.update(held[: length - done])
        if done + len(held) >= length and trial.hexdigest() in known[length]:
            best = length, trial.hexdigest()
    return best


def _piece(path: Path, start: int, digest: str, size: int) -> Acquisition:
    return Acquisition(
        path=shown(str(path)),
        member=member_at(start),
        received=digest,
        received_size=size,
        content=digest,
        content_size=size,
    )


def _last_line_end(path: Path, start: int, end: int, limits: Limits) -> int:
    """Behind the last line end in ``[start, end)``, looked for from the end; ``start`` where there is none."""
    at = end
    while at > start:
        begin = max(start, at - BLOCK)
        found = b"".join(_read(path, begin, at - begin, limits)).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        at = begin
    return start


def _again(blocks: Iterator[bytes], acquisition: Acquisition, marks: list[bytes]) -> Iterator[bytes]:
    for wanted in marks:
        block = next(blocks, b"")
        if mark_of(block) != wanted:
            raise changed(acquisition.path, acquisition)
        yield block


def _read(path: Path, start: int, size: int, limits: Limits) -> Iterator[bytes]:
    """``size`` bytes from ``start`` on in blocks, fewer only where the file ends."""
    with opened(path, msgspec.structs.replace(limits, whole=-1)) as outer:
        handle: BinaryIO = outer.handle
        try:
            handle.seek(start)
            while size > 0 and (block := handle.read(min(BLOCK, size))):
                size -= len(block)
                yield block
        except OSError as error:
            raise SourceError("reading stopped", where=outer.where, found=error.strerror or str(error)) from error
