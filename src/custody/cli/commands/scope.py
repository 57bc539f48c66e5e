"""``custody scope``."""

from __future__ import annotations

import click

from custody.cli import options
from custody.settings.catalog import Settings


@click.command("scope")
@options.reading
@options.as_json
def COMMAND(settings: Settings, as_json: bool) -> None:  # noqa: N802
    """Show what was read (accounts, regions, event classes, periods) and what was not."""
    from custody.cli.output import emit, style
    from custody.pipeline.report import stored

    found = stored(settings)
    if as_json:
        emit(found.scope)
        return
    from custody.reports.terminal.scope import scope

    click.echo(scope(found, style(settings)), nl=False)
