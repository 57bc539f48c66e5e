"""From one outer file to its innermost files: gzip, zip and tar in any nesting, told by their first bytes."""

import io
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from custody.errors import SourceError
from custody.readers import gunzip, tar, zips
from custody.readers.limits import Budget, Limits
from custody.readers.streams import Blocks, Member, Members, Stream, blocks_of_file

_HEAD = 512
_LONGEST_NAME = 1000


class Outer(msgspec.Struct, frozen=True):
    """An opened file. ``whole`` holds its bytes where it is small enough to be read at once."""

    where: str
    handle: BinaryIO
    size: int
    whole: bytes | None

    def stream(self) -> Stream:
        """The bytes from the start."""
        return Stream(blocks_of_file(self.handle)) if self.whole is None else Stream.of(self.whole)


class Entry(msgspec.Struct, frozen=True):
    """An innermost file. ``name`` is its path inside the containers, None where there is none.

    ``packed`` says that its bytes were decompressed or cut out of something; ``problem`` why they are not the
    innermost ones after all.
    """

    name: str | None
    stream: Stream
    packed: bool
    problem: str | None = None


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[Outer]:
    """Open a regular file for reading; raises SourceError where that is impossible."""
    where = shown(str(path))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise unreadable(where, error) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise SourceError("cannot be read", where=where, found=kind_of(status.st_mode), expected="a regular file")
    with open(descriptor, "rb", buffering=0) as handle:  # noqa: PTH123 a descriptor: what was checked is what is read
        try:
            whole = _read_at_once(handle, limits.whole) if status.st_size <= limits.whole else None
        except OSError as error:
            raise unreadable(where, error) from error
        size = status.st_size if whole is None else len(whole)
        yield Outer(where, handle if whole is None else io.BytesIO(whole), size, whole)


def entries(outer: Outer, limits: Limits) -> Iterator[Entry | SourceError]:
    """Every innermost file, and a SourceError for what was met and not read, or read under a name that misleads.

    An entry's stream must be read before the next entry is asked for. Names are only ever labels.
    """
    return _Unpacking(outer, limits).open(outer.stream(), None, 0, outer.handle)


def unreadable(where: str, error: OSError | ValueError) -> SourceError:
    """The SourceError for a refusal of the operating system."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return SourceError("cannot be read", where=where, found=reason, expected="a readable file")


def kind_of(mode: int) -> str:
    """What a file mode says, in words."""
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFLNK: "a link"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def shown(name: str | bytes) -> str:
    """A name that is safe to seal, print and join: UTF-8, no control characters, not endless."""
    text = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
    decoded = text.decode("utf-8", "backslashreplace")
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in decoded)
    return safe if len(safe) <= _LONGEST_NAME else safe[:_LONGEST_NAME] + "…"


_Found = Generator[Entry | SourceError, None, str | None]


class _Unpacking:
    """One walk through one outer file."""

    def __init__(self, outer: Outer, limits: Limits) -> None:
        self._where = outer.where
        self._limits = limits
        self._budget = Budget(limits, outer.size)
        self._labels: set[str] = set()

    def open(
        self, stream: Stream, name: str | None, depth: int, handle: BinaryIO | None = None
    ) -> Iterator[Entry | SourceError]:
        head = stream.peek(_HEAD)
        archive = head.startswith(zips.MAGICS) or tar.is_tar(head)
        if not archive and not head.startswith(gunzip.MAGIC):
            yield Entry(name, stream, depth > 0)
        elif depth >= self._limits.max_archive_depth:
            yield Entry(name, stream, depth > 0, f"containers nested over {depth} deep are not opened")
        elif not archive:
            yield from self.open(self._gunzipped(stream), name, depth + 1)
        elif tar.is_tar(head):
            yield from self._tar(stream, name, depth)
        else:
            yield from self._zip(stream, name, depth, handle)

    def _gunzipped(self, stream: Stream) -> Stream:
        data = stream.known and gunzip.gunzip_whole(stream.known, self._limits.whole, self._budget)
        return Stream.of(data) if data else Stream(gunzip.gunzip(stream, self._budget))

    def _tar(self, stream: Stream, name: str | None, depth: int) -> Iterator[Entry | SourceError]:
        problem = yield from self._members(tar.members(stream), name, depth)
        problem = problem or stream.drain()
        if problem:
            yield self._error(problem, name)

    def _zip(
        self, stream: Stream, name: str | None, depth: int, handle: BinaryIO | None
    ) -> Iterator[Entry | SourceError]:
        if handle is None:
            data = stream.read(self._limits.whole + 1)
            if len(data) > self._limits.whole:
                yield Entry(name, _joined(data, stream), packed=True, problem="a zip inside another file is too large")
                return
            handle = io.BytesIO(data)
        try:
            problem = yield from self._members(zips.members(handle, self._budget), name, depth)
        except OSError as error:
            problem = f"reading stopped: {error.strerror or error}"
        if problem or stream.problem:
            yield self._error(problem or str(stream.problem), name)

    def _members(self, members: Members, name: str | None, depth: int) -> _Found:
        while True:
            try:
                member = next(members)
            except StopIteration as stop:
                return stop.value if isinstance(stop.value, str) else None
            if member.kind == "directory":
                continue
            if len(self._labels) >= self._limits.max_members:
                return f"more than {self._limits.max_members} members; the rest was not read"
            yield from self._member(member, name, depth)

    def _member(self, member: Member, name: str | None, depth: int) -> Iterator[Entry | SourceError]:
        label, complaint = self._label(member.name, name)
        if member.kind != "file":
            yield self._error(f"a {member.kind} in an archive is not followed or read", label)
            return
        yield from self.open(member.body, label, depth + 1)
        member.body.drain()
        if complaint:
            yield self._error(complaint, label)

    def _label(self, raw: bytes, container: str | None) -> tuple[str, str | None]:
        """A label that no other member has, and what is strange about the member's own name."""
        name = shown(raw)
        plain = name if container is None else f"{container}/{name}"
        label, count = plain, 1
        while label in self._labels:
            count += 1
            label = f"{plain}#{count}"
        self._labels.add(label)
        if label != plain:
            return label, "another member has the same name; both were read"
        if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or name[1:2] == ":":
            return label, "the member's name points outside its archive; it was read, never written"
        return label, None

    def _error(self, message: str, name: str | None) -> SourceError:
        return SourceError(message, where=self._where if name is None else f"{self._where}: {name}")


def _read_at_once(handle: BinaryIO, limit: int) -> bytes | None:
    """The whole file, or None where it turns out larger than it said."""
    parts, size = [], 0
    while size <= limit and (part := handle.read(limit + 1 - size)):
        parts.append(part)
        size += len(part)
    return b"".join(parts) if size <= limit else None


def _joined(data: bytes, rest: Stream) -> Stream:
    def blocks() -> Blocks:
        yield data
        yield from rest.rest()
        return rest.problem

    return Stream(blocks())
