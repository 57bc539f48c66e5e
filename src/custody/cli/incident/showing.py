"""``custody incident show``: one incident as it stands, on the terminal, as JSON or as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from custody.cli import options
from custody.settings.catalog import Settings


@click.command("show")
@click.argument("incident")
@click.option("--known-at", metavar="TIME", help="With only what had arrived by then.")
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write one self-contained page."
)
@options.reading
@options.as_json
def COMMAND(  # noqa: N802
    incident: str, known_at: str | None, html: Path | None, settings: Settings, as_json: bool
) -> None:
    """Show INCIDENT: its actions and whether they worked, every answer, the checklist, the scope, what is missing.

    Whether an action worked is said by the log of the system that was acted on; what people say is shown as claimed.
    --known-at (a date or an RFC 3339 time) replays what was known then.
    """
    from custody.cli.output import note, style
    from custody.pipeline import output
    from custody.pipeline.incidents.viewing import viewed
    from custody.pipeline.incidents.writing import write_page
    from custody.pipeline.registering.known import moment_of
    from custody.reports.incident import text
    from custody.reports.terminal.incident import page

    if html is not None:
        output.check(html)
    view = viewed(settings, incident, moment_of(known_at, "--known-at"))
    if html is not None:
        write_page(view, html)
        note(f"written: {html}")
    if as_json:
        click.echo(text.whole(view), nl=False)
    elif html is None:
        click.echo(page(view, style(settings)), nl=False)
