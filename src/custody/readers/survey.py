"""The hash pass: which innermost files a file holds, each with the hashes of its bytes as received and as read.

Memory is constant: what is small is read at once, everything else flows through.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from custody.errors import SourceError
from custody.model.records import Acquisition
from custody.readers.limits import DEFAULT, Limits
from custody.readers.unpack import Entry, Outer, entries, opened

Surveyed = Acquisition | SourceError
"""An innermost file, or what could not be read as one and why."""


def survey(path: Path, limits: Limits = DEFAULT) -> list[Surveyed]:
    """Hash one file and all that is in it. Bad bytes never raise: a fault is a ``problem`` or a SourceError value.

    Where a file is cut short, damaged or over a limit, its acquisition covers the prefix that could be read.
    """
    found: list[Surveyed] = []
    try:
        with opened(path, limits) as outer:
            found.extend(_acquired(outer, limits))
    except SourceError as error:
        return [error]
    return found


def _acquired(outer: Outer, limits: Limits) -> Iterator[Surveyed]:
    before = _state(outer)
    received = _digest(outer)
    found = [
        entry if isinstance(entry, SourceError) else _acquisition(outer, entry, limits, received)
        for entry in entries(outer, limits)
    ]
    if _state(outer) != before:
        yield SourceError(
            "the file changed while it was read", where=outer.where, advice="audit it again when it rests"
        )
    else:
        yield from found


def _acquisition(outer: Outer, entry: Entry, limits: Limits, received: tuple[str, int, str | None]) -> Acquisition:
    digest, size, problem = received
    content, length = digest, size
    if entry.packed:
        hasher, length, over = hashlib.sha256(), 0, False
        for block in entry.stream.rest():
            allowed = block[: limits.max_content - length]
            hasher.update(allowed)
            length += len(allowed)
            if over := len(allowed) < len(block):
                break
        content = hasher.hexdigest()
        problem = "over the limit of bytes in one file" if over else entry.problem or entry.stream.problem
    return Acquisition(
        path=outer.where,
        member=entry.name,
        received=digest,
        received_size=size,
        content=content,
        content_size=length,
        problem=problem or entry.problem,
    )


def _digest(outer: Outer) -> tuple[str, int, str | None]:
    """The SHA-256 (hex) and the number of the bytes as received, and what went wrong."""
    if outer.whole is not None:
        return hashlib.sha256(outer.whole).hexdigest(), outer.size, None
    stream, hasher = outer.stream(), hashlib.sha256()
    for block in stream.rest():
        hasher.update(block)
    return hasher.hexdigest(), stream.at, stream.problem


def _state(outer: Outer) -> tuple[int, int] | None:
    """What would differ had a large file been written to in between; a small one was read at once."""
    if outer.whole is not None:
        return None
    status = os.fstat(outer.handle.fileno())
    return status.st_size, status.st_mtime_ns
