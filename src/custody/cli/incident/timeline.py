"""``custody incident timeline``: what happened, in order, every source and every person in a lane of their own."""

from __future__ import annotations

from pathlib import Path

import click

from custody.cli import options
from custody.settings.catalog import Settings


@click.command("timeline")
@click.argument("incident")
@click.option("--known-at", metavar="TIME", help="With only what had arrived by then.")
@click.option(
    "--format", "form", type=click.Choice(["terminal", "json", "csv", "timesketch"]), default="terminal",
    help="How to write it.  [default: terminal]",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a file instead."
)
@options.reading
@options.as_json
def COMMAND(  # noqa: N802
    incident: str, known_at: str | None, form: str, output: Path | None, settings: Settings, as_json: bool
) -> None:
    """Show the timeline of INCIDENT: the chains of the credentials in scope, every step of both logs, and findings.

    Each line has the time by the clock of its own source, the corrected time where clocks could be compared, when it
    was known here, its grade and its leaf. --known-at (a date or an RFC 3339 time) replays what was known then.
    """
    from custody.cli.output import style
    from custody.pipeline.incidents import writing
    from custody.pipeline.incidents.viewing import viewed
    from custody.pipeline.registering.known import moment_of

    chosen = "json" if as_json else form
    writing.check(chosen, output)
    view = viewed(settings, incident, moment_of(known_at, "--known-at"))
    writing.write(view, chosen, output, style(settings))
