"""Files and folders of private keys: their owner's alone, or refused, as others may know what is in them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from custody.errors import UsageError

MODE = 0o700
"""Of a folder of keys; its files are 0600."""
_MOST = 1 << 15
"""Bytes of a file that are read: a key is far shorter."""


def private(folder: Path) -> None:
    """Make the folder its owner's alone; UsageError for one that others can look into."""
    if not folder.is_dir():
        folder.mkdir(mode=MODE, parents=True, exist_ok=True)
        folder.chmod(MODE)  # a folder above with the set-group-id bit would give it on
    owned(folder.stat(), folder)


def secret(path: Path) -> bytes:
    """What a private file holds; no link is followed. OSError where it cannot be read, UsageError as for ``owned``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        owned(os.fstat(descriptor), path)
        return file.read(_MOST)


def owned(found: os.stat_result, path: Path) -> None:
    """UsageError where somebody else owns it, or others may read or write it."""
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != os.geteuid() or mode & 0o2077:
        raise UsageError(
            "a signing key that others may know",
            where=str(path),
            found=f"owner {found.st_uid}, mode {mode:o}",
            expected=f"owner {os.geteuid()}, mode 700 (folder) or 600 (file)",
            advice="If nobody else has read it, set owner and mode; otherwise remove it: new keys are made.",
        )
