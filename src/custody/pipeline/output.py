"""Files that a person asked for: checked before the work, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from custody.errors import UsageError


def check(path: Path) -> None:
    """UsageError where ``path`` could not be written: known before the work, not after it."""
    if path.is_dir():
        raise UsageError("cannot be written", where=str(path), found="a folder", expected="a file")
    folder = path.parent
    if not folder.is_dir():
        raise UsageError("cannot be written", where=str(path), found=f"no folder {folder}", expected="a folder")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise UsageError("cannot be written", where=str(path), found="Permission denied")


def write(path: Path, data: bytes) -> None:
    """Write a file by a temporary one beside it, so that nobody meets half of it. UsageError where that fails.

    What is no regular file (a device, a pipe) is written as it stands; a link is followed.
    """
    check(path)
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            _replace(path.resolve(), data)
    except OSError as error:
        raise UsageError("cannot be written", where=str(path), found=error.strerror or str(error)) from None


def write_stream(path: Path, chunks: Iterable[bytes]) -> None:
    """The same of what comes in pieces, with memory for one of them. What ends the pieces early leaves no file."""
    check(path)
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                file.writelines(chunks)
        else:
            _replace_by(path.resolve(), chunks)
    except OSError as error:
        raise UsageError("cannot be written", where=str(path), found=error.strerror or str(error)) from None


def _replace_by(path: Path, chunks: Iterable[bytes]) -> None:
    beside = path.with_name(f".{path.name[:200]}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.writelines(chunks)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _replace(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name[:200]}.{os.getpid()}.tmp")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
