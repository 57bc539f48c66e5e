"""The options by which somebody shows who they are: an SSH signature, or an OpenID Connect token."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from custody.model.register import Signature
    from custody.pipeline.signatures import Given

P = ParamSpec("P")
R = TypeVar("R")

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_NAMES = {"signature": "signature", "token_file": "token", "jwks": "jwks", "issuer": "issuer", "audience": "audience"}


def signing(function: Callable[P, R]) -> Callable[P, R]:
    """Add the options; the command gets them by their own names, for ``given_of``."""
    for option in (
        click.option("--audience", metavar="TEXT", help="For whom the token must be."),
        click.option("--issuer", metavar="URL", help="Who must have issued the token."),
        click.option("--jwks", type=_FILE, metavar="FILE", help="The issuer's public keys (JWKS)."),
        click.option("--token-file", type=_FILE, metavar="FILE", help="An OpenID Connect token; it is not kept."),
        click.option("--signature", type=_FILE, metavar="FILE", help="A signature by ssh-keygen -Y sign."),
    ):
        function = option(function)
    return function


def given_of(options: dict[str, object]) -> Given:
    """What was given, from the options of a command."""
    from custody.pipeline.signatures import Given

    return Given(**{field: options[name] for name, field in _NAMES.items()})  # type: ignore[arg-type]


def signed_by(signature: Signature | None) -> str:
    """``ann@example.com  SHA256:…  (ssh)`` in words that are safe to show; ``nobody`` without one."""
    from custody.reports.safe import plain

    if signature is None:
        return "nobody: what it says is claimed"
    return plain(f"{', '.join(signature.principals)}  {signature.key}  ({signature.method})")
