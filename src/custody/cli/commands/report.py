"""``custody report``: the report as a file."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from custody.cli import options
from custody.settings.catalog import Settings


@click.command("report")
@click.option("--format", "form", default="html", show_default=True, help="html or json.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to write; stdout without.")
@options.reading
@options.as_json
def COMMAND(form: str, output: Path | None, settings: Settings, as_json: bool) -> None:  # noqa: N802
    """Write the report about the committed store: HTML in one self-contained file, or the JSON object."""
    from custody.pipeline.report import render, write

    chosen = "json" if as_json else form
    if output is not None:
        write(settings, chosen, output)
        click.echo(f"written: {output}", err=True)
        return
    sys.stdout.buffer.write(render(settings, chosen))
    sys.stdout.buffer.flush()
