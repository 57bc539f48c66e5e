"""``custody incident timeline``: what happened, in order, every source and every person in a lane of their own."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from custody.cli import options
from custody.cli.incident.completing import INCIDENT
from custody.errors import UsageError
from custody.settings.catalog import Settings


@click.command("timeline")
@click.argument("incident", shell_complete=INCIDENT)
@click.option("--known-at", metavar="TIME", help="With only what had arrived by then.")
@click.option(
    "--format", "form", type=click.Choice(["terminal", "json", "csv", "timesketch"]),
    help="How to write it.  [default: terminal]",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a file instead."
)
@options.reading
@options.as_json
def COMMAND(  # noqa: N802
    incident: str, known_at: str | None, form: str | None, output: Path | None, settings: Settings, as_json: bool
) -> None:
    """Show the timeline of INCIDENT: the chains of the credentials in scope, every step of both logs, and findings.

    Each line has the time by the clock of its own source, the corrected time where clocks could be compared, when it
    was known here, its grade and its leaf. A terminal of 100 columns or more has a column
    of lanes. --known-at (a date or an RFC 3339 time) replays what was known then.
    """
    from custody.cli.output import style
    from custody.pipeline.incidents import writing
    from custody.pipeline.incidents.viewing import viewed
    from custody.pipeline.registering.known import moment_of
    from custody.reports.terminal.incident_timeline import timeline as drawn

    if as_json and form not in (None, "json"):
        advice = "Choose, and leave one of them out."
        raise UsageError("two forms at once", where="--json", found=f"--format {form}", advice=advice)
    chosen = "json" if as_json else form or "terminal"
    writing.check(chosen, output)
    view = viewed(settings, incident, moment_of(known_at, "--known-at"))
    if chosen == "terminal" and output is None:
        click.echo(drawn(view, style(settings), columns()), nl=False)
    else:
        writing.write(view, chosen, output)


def columns() -> int:
    """The columns of the terminal; 80 where nobody looks, so that a file is the same everywhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 80
