"""``custody settings``: what holds, and why."""

from __future__ import annotations

import click

from custody.cli import options
from custody.settings.catalog import Settings


@click.command("settings")
@options.settings
@options.as_json
def COMMAND(settings: Settings, as_json: bool) -> None:  # noqa: N802
    """Show every setting and where its value came from: flag, environment, file or default."""
    from custody.cli.output import emit

    described = settings.described()
    if as_json:
        emit({"settings": described, "file": None if settings.file is None else str(settings.file)})
        return
    for name, value in described.items():
        click.echo(f"{name:<12} {value['value']!s:<50} {value['from']}")
