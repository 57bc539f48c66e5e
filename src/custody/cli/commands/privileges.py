"""``custody privileges``: what a principal may do, as of any time."""

from __future__ import annotations

import click

from custody.cli import options
from custody.settings.catalog import Settings


@click.command("privileges")
@click.argument("name")
@click.option("--as-of", metavar="TIME", help="What it had at this time (RFC 3339).  [default: as far as records go]")
@options.reading
@options.as_json
def COMMAND(name: str, as_of: str | None, settings: Settings, as_json: bool) -> None:  # noqa: N802
    """Show what the principal NAME may do: its grants, who gave and approved each, what is allowed, what is not known.

    NAME is a key, an ARN, a role's or account's name, or an identity of the register.
    """
    from custody.cli.output import emit, style
    from custody.pipeline.privileges import privileges

    found = privileges(settings, name, as_of)
    if as_json:
        emit({"principals": found})
        return
    from custody.reports.terminal.privileges import privileges as shown

    click.echo(shown(found, style(settings)), nl=False)
