"""The folder of a witness: its key and its memory. Never a store's, and best on another machine.

::

    FOLDER/name         the witness's name, as in its verifier key
    FOLDER/seed         32 bytes, mode 0600
    FOLDER/vkey         the public key (type 04), to be given to those who verify
    FOLDER/memory.db    SQLite: what was cosigned last, for each log
"""

from __future__ import annotations

import os
from pathlib import Path

from custody.errors import StoreError, UsageError
from custody.ledger.cosignature import Cosigner
from custody.ledger.merkle import EMPTY_ROOT
from custody.ledger.note import Verifier
from custody.witness.memory import Memory

SIZE = 32


def make(folder: Path, name: str) -> Cosigner:
    """Draw the key of a new witness. UsageError where the folder has one already, LogError where the name cannot be."""
    if (folder / "seed").exists():
        raise UsageError("there is a witness here already", where=str(folder))
    seed = os.urandom(SIZE)
    cosigner = Cosigner(name, seed)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file, data in (("seed", seed), ("name", name.encode()), ("vkey", f"{cosigner.witness.vkey}\n".encode())):
        _write(folder / file, data)
    Memory(folder / "memory.db")
    return cosigner


def opened(folder: Path) -> tuple[Cosigner, Memory]:
    """The key and the memory of a witness. StoreError where they are missing, damaged or open to others."""
    try:
        seed, name = (folder / "seed").read_bytes(), (folder / "name").read_text(encoding="utf-8")
        mode = (folder / "seed").stat().st_mode & 0o077
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(
            "there is no witness here", where=str(folder), found=str(error), advice="`custody witness init --name NAME`"
        ) from None
    if mode:
        raise StoreError("others can read this key", where=str(folder / "seed"), advice=f"chmod 600 {folder / 'seed'}")
    if len(seed) != SIZE:
        raise StoreError(
            "a key is damaged", where=str(folder / "seed"), found=f"{len(seed)} bytes", expected="32 bytes"
        )
    if not (folder / "memory.db").is_file():  # an empty one in its place could be led to cosign a fork
        raise StoreError(
            "the memory of this witness is gone", where=str(folder / "memory.db"),
            advice="What it cosigned nobody knows now: make a new witness, with a new key.",
        )  # fmt: skip
    return Cosigner(name, seed), Memory(folder / "memory.db")


def know(memory: Memory, vkey: str) -> bool:
    """Know the log that ``vkey`` names from now on; False where it is known. LogError where it is not such a key."""
    verifier = Verifier.parse(vkey)
    return memory.add(verifier.name, (vkey,), EMPTY_ROOT) or memory.add_key(verifier.name, vkey)


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
