"""Signing with ssh-keygen, here and now: what is run is shown first, and the key is never read by custody."""

from __future__ import annotations

import subprocess
from pathlib import Path

import click

from custody.errors import UsageError


def command(space: str) -> tuple[str, ...]:
    """What signs in a namespace (``ssh-keygen(1)``, ``-Y sign``); the key follows."""
    return ("ssh-keygen", "-Y", "sign", "-n", space, "-f")


def signature(key: Path, data: bytes, space: str) -> bytes:
    """The armored signature that ssh-keygen makes over ``data``. UsageError where it makes none."""
    words = [*command(space), str(key)]
    click.echo(f"running: {' '.join(words)}", err=True)
    try:
        made = subprocess.run(words, input=data, stdout=subprocess.PIPE, check=False)  # noqa: S603  # shown, no shell
    except FileNotFoundError:
        raise UsageError(
            "ssh-keygen is not installed", advice="Decisions can be signed elsewhere: --write FILE, --signature FILE."
        ) from None
    if made.returncode != 0:
        raise UsageError("ssh-keygen did not sign", where=str(key), found=f"exit code {made.returncode}")
    return made.stdout
