"""``custody coverage``."""

from __future__ import annotations

import click

from custody.cli import options
from custody.settings.catalog import Settings


@click.command("coverage")
@options.reading
@options.as_json
def COMMAND(settings: Settings, as_json: bool) -> None:  # noqa: N802
    """Show every question about machine credentials and how many chains answer it."""
    from custody.cli.output import emit, style
    from custody.pipeline.report import stored

    found = stored(settings)
    if as_json:
        emit(found.coverage)
        return
    from custody.reports.terminal.coverage import coverage

    click.echo(coverage(found, style(settings)), nl=False)
