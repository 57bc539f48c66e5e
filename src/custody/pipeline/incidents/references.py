"""What the references of the response file name: ``env:NAME``, or ``file:PATH`` from the folder of the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from custody.errors import UsageError

MOST = 4096
"""Bytes of a secret at most."""


def value_of(reference: str, folder: Path, environment: Mapping[str, str], where: str) -> str:
    """The value that a reference names. UsageError, which shows no value; ``where`` is its place in the file."""
    kind, _, name = reference.partition(":")
    if kind == "env":
        found = environment.get(name, "").strip()
        if not found:
            advice = "Set it where this runs: each command that seals a step, `tell`, and the service."
            raise UsageError(
                "nothing is where the secret should be",
                where=where,
                found=f"the variable {name} is empty",
                advice=advice,
            )
    else:
        found = _read(folder / name, where)
    if not found.isascii() or not found.isprintable():
        raise UsageError("not a secret", where=where, expected="printable ASCII characters on one line")
    return found


def _read(path: Path, where: str) -> str:
    try:
        with path.open("rb") as opened:
            data = opened.read(MOST + 1)
    except OSError as error:
        advice = "PATH is from the folder of the response file; who runs this has to be able to read it."
        found = f"{path}: {error.strerror}"
        raise UsageError("the secret cannot be read", where=where, found=found, advice=advice) from None
    text = data.decode("ascii", "replace").strip()
    if not text or len(data) > MOST:
        raise UsageError("nothing is where the secret should be", where=where, found=str(path))
    return text
