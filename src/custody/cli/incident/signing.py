"""Signing the steps of an incident with ssh-keygen, here and now."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from custody.cli.ssh_keygen import signature
from custody.errors import UsageError

if TYPE_CHECKING:
    from custody.pipeline.incidents.sealing import Signer

P = ParamSpec("P")
R = TypeVar("R")

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
MOST_KEY = 1 << 16


def sign_with(function: Callable[P, R]) -> Callable[P, R]:
    """Add ``--sign-with``."""
    told = "Sign the step by ssh-keygen with this key; KEY.pub lies beside it."
    return click.option("--sign-with", type=FILE, metavar="KEY", help=told)(function)


def reason(function: Callable[P, R]) -> Callable[P, R]:
    """Add ``--reason``."""
    told = "Why: it is sealed, and everybody can read it."
    return click.option("--reason", required=True, metavar="TEXT", help=told)(function)


def signer_of(key: Path | None) -> Signer | None:
    """Who signs with the key file, None where there is none. UsageError where its public key cannot be read."""
    from custody.pipeline.incidents.sealing import Signer

    if key is None:
        return None
    return Signer(key=_public(key), sign=lambda data, space: signature(key, data, space))


def _public(key: Path) -> bytes:
    """The public key in wire form: of the file itself where it is one, else of the file beside it."""
    for path in (key, key.with_name(f"{key.name}.pub")):
        if not path.is_file():
            continue
        with path.open("rb") as file:
            words = file.read(MOST_KEY).split()
        if len(words) >= 2 and words[0].startswith((b"ssh-", b"ecdsa-", b"sk-")):
            try:
                return b64decode(words[1], validate=True)
            except ValueError:
                continue
    raise UsageError(
        "the public key is not there",
        where=str(key),
        expected=f"{key.name}.pub beside it",
        advice=f"`ssh-keygen -y -f {key} > {key}.pub` makes it.",
    )
