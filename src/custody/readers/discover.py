"""From paths to files: sorted, each file once, in folders of any depth."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from custody.errors import SourceError
from custody.readers.unpack import kind_of, shown, unreadable

_Id = tuple[int, int]


def discover(paths: Sequence[Path], exclude: Sequence[Path] = ()) -> Iterator[Path | SourceError]:
    """Every regular file of the given files and folders, in the order given and sorted by name within a folder.

    Hidden files and unfinished downloads are included: evidence is not left out for its name, and what is not whole
    is reported as such. Links are followed; a file or folder that is reached twice (links, hard links, overlapping
    paths) is read once. ``exclude`` names files and folders that are passed over, such as a report that is written
    again. So is every folder that is a custody store, by whatever link it is reached: what custody wrote is no input.
    What cannot be read is a SourceError value in its place.
    """
    excluded = {found for path in exclude if (found := _identity(path)) is not None}
    seen = set(excluded)
    for path in paths:
        if _identity(path) not in excluded and _in_store(path):
            yield SourceError("lies in a custody store", where=shown(str(path)), expected="logs as they were received")
        else:
            yield from _walk(path, seen)


def is_store(folder: Path) -> bool:
    """Whether a folder is a custody store, by what is in it."""
    try:
        return (folder / "store.json").is_file() and (folder / "logs" / "operations").is_dir()
    except (OSError, ValueError):
        return False


def _in_store(path: Path) -> bool:
    """Whether a path leads into a store, its links followed."""
    try:
        real = path.resolve()
    except (OSError, ValueError, RuntimeError):
        return False
    return any(is_store(folder) for folder in (real, *real.parents))


def _walk(start: Path, seen: set[_Id]) -> Iterator[Path | SourceError]:
    waiting = [start]
    while waiting:
        path = waiting.pop()
        try:
            status = path.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            if (stat.S_ISDIR(status.st_mode) and is_store(path)) or (path.is_symlink() and _in_store(path)):
                continue
            if stat.S_ISDIR(status.st_mode):
                waiting.extend(path / name for name in sorted(os.listdir(path), reverse=True))  # noqa: PTH208 names
                continue
        except (OSError, ValueError) as error:
            yield unreadable(shown(str(path)), error)
            continue
        yield path if stat.S_ISREG(status.st_mode) else _not_a_file(path, status.st_mode)


def _not_a_file(path: Path, mode: int) -> SourceError:
    return SourceError("cannot be read", where=shown(str(path)), found=kind_of(mode), expected="a file or folder")


def _identity(path: Path) -> _Id | None:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
