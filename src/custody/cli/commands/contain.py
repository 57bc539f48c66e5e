"""``custody contain``: what is alive, and what would end it."""

from __future__ import annotations

import click

from custody.cli import options
from custody.settings.catalog import Settings


@click.command("contain")
@click.argument("key")
@options.reading
@options.as_json
def COMMAND(key: str, settings: Settings, as_json: bool) -> None:  # noqa: N802
    """Say what is alive of the credential KEY and its descendants, what would end each, and what else that would end.

    Read-only: it names the commands, it runs none.
    """
    from custody.cli.output import emit, style
    from custody.pipeline.contain import containment

    found = containment(settings, key)
    if as_json:
        emit(found)
        return
    from custody.reports.terminal.containment import containment as shown

    click.echo(shown(found, style(settings)), nl=False)
