"""``custody coverage``."""

from __future__ import annotations

import click

from custody.cli import options
from custody.settings.catalog import Settings


@click.command("coverage")
@click.option("--fix", is_flag=True, help="What would settle most, best first, with what to set in which product.")
@options.reading
@options.as_json
def COMMAND(fix: bool, settings: Settings, as_json: bool) -> None:  # noqa: N802
    """Show every question about machine credentials and how many chains answer it."""
    from custody.cli.output import emit, style
    from custody.pipeline.report import stored

    found = stored(settings)
    if as_json:
        emit({"fixes": found.coverage.fixes} if fix else found.coverage)
        return
    if fix:
        from custody.reports.terminal.fixes import fixes

        click.echo(fixes(found, style(settings)), nl=False)
        return
    from custody.reports.safe import cleaned
    from custody.reports.terminal.coverage import coverage
    from custody.reports.terminal.sources_seen import certificates, clocks

    click.echo(coverage(found, style(settings)), nl=False)
    seen = cleaned(found)
    lines = [*certificates(seen, style(settings)), *clocks(seen, style(settings))]
    if lines:
        click.echo("\n".join(["", *lines]))
