"""``custody rebuild``: the derived tables anew."""

from __future__ import annotations

import click

from custody.cli import options
from custody.settings.catalog import Settings


@click.command("rebuild")
@options.rebuilding
@options.as_json
def COMMAND(settings: Settings, as_json: bool) -> None:  # noqa: N802
    """Make every derived table anew from the sealed records, and judge by the contract that is given now.

    The same version and contract give the same report. Without a contract, the versions of it that were sealed judge.
    """
    from custody.cli.output import emit, style
    from custody.cli.progress import watching
    from custody.pipeline.rebuild import rebuild
    from custody.reports.json_object import cited

    with watching() as observer:
        report = rebuild(settings, observer)
    if as_json:
        emit(cited(report))
        return
    from custody.reports.terminal.page import page

    click.echo(page(report, style(settings)), nl=False)
