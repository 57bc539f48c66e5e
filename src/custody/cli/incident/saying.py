"""What every command does that sealed a step: say what was sealed, and have those told who follow the incident."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from custody.settings.catalog import Settings

if TYPE_CHECKING:
    from custody.pipeline.incidents.sealing import Sealed


def tell(sealed: Sealed, settings: Settings, *, as_json: bool, at: str = "") -> None:
    """A sealed step, for people or for programs; ``at`` is how far its action was (a value of ``Where``)."""
    from custody.pipeline.incidents.sealing import fields_of

    put(sealed, settings, fields_of(sealed), at=at, as_json=as_json)


def put(
    sealed: Sealed,
    settings: Settings,
    fields: dict[str, object],
    more: Sequence[tuple[str, str]] = (),
    *,
    at: str = "",
    as_json: bool,
) -> None:
    """The same with ``fields`` for programs, and ``more`` rows for people."""
    from custody.cli.incident.page import sealed_lines
    from custody.cli.incident.telling import afterwards
    from custody.cli.output import emit

    if as_json:
        emit(fields)
    else:
        click.echo(sealed_lines(sealed, more, str(fields.get("where", at))))
    if sealed.sealed:
        afterwards(settings)
