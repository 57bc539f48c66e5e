"""``custody rebuild``: the derived tables anew."""

from __future__ import annotations

import click

from custody.cli import options
from custody.settings.catalog import Settings


@click.command("rebuild")
@options.settings
@options.as_json
def COMMAND(settings: Settings, as_json: bool) -> None:  # noqa: N802
    """Make every derived table anew from the sealed records: the same report, or a better one by a newer version."""
    from custody.cli.output import emit, style
    from custody.cli.progress import watching
    from custody.pipeline.rebuild import rebuild

    with watching() as observer:
        report = rebuild(settings, observer)
    if as_json:
        emit(report)
        return
    from custody.reports.terminal.page import page

    click.echo(page(report, style(settings)), nl=False)
