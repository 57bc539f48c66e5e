"""``custody incident show``: one incident as it stands, on the terminal, as JSON or as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from custody.cli import options
from custody.cli.incident.completing import INCIDENT
from custody.errors import UsageError
from custody.settings.catalog import Settings

SECTIONS = ("actions", "answers", "re-enable", "scope", "missing", "odd")


@click.command("show")
@click.argument("incident", shell_complete=INCIDENT)
@click.option("--all", "whole", is_flag=True, help="Unfold everything: every detail, credential and gap.")
@click.option("--section", type=click.Choice(SECTIONS), help="Unfold one section, and show it alone.")
@click.option("--known-at", metavar="TIME", help="With only what had arrived by then.")
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write one self-contained page."
)
@options.reading
@options.as_json
def COMMAND(  # noqa: N802
    incident: str, whole: bool, section: str | None, known_at: str | None, html: Path | None, settings: Settings,
    as_json: bool,
) -> None:  # fmt: skip
    """Show INCIDENT: where it stands and what comes next, its actions, every answer, the scope, what is missing.

    It is folded to a page; --all and --section unfold it, --json has everything.

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

    if whole and section is not None:
        raise UsageError(
            "both everything and one section", found="--all and --section", expected="one of them",
            advice="--all has every section.",
        )  # fmt: skip
    if html is not None:
        output.check(html)
    view = viewed(settings, incident, moment_of(known_at, "--known-at"))
    if html is not None:
        write_page(view, html)
        note(f"written: {html}")
    if as_json:
        click.echo(text.whole(view), nl=False)
    elif html is None:
        click.echo(page(view, style(settings), section, whole=whole), nl=False)
