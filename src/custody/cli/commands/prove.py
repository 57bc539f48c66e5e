"""``custody prove``: a proof for anybody to check."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from custody.cli import options
from custody.settings.catalog import Settings


@click.command("prove")
@click.argument("event")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="The .tlog-proof; stdout without."
)
@click.option("--entry", type=click.Path(path_type=Path), metavar="FILE", help="Also write the sealed entry.")
@options.reading
@options.as_json
def COMMAND(  # noqa: N802
    event: str, output: Path | None, entry: Path | None, settings: Settings, as_json: bool
) -> None:
    """Write the C2SP tlog-proof that the record EVENT (an event id or a leaf) is in the log."""
    from custody.cli.output import emit
    from custody.pipeline.prove import prove
    from custody.reports.safe import plain

    found, data = prove(settings, event, output, entry)
    if as_json:
        emit(found)
    elif output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        click.echo(f"written: {output}, leaf {found.leaf.index} of {found.size}", err=True)
    if found.erased is not None and not as_json:
        click.echo(f"note: the record was {plain(found.erased.sentence())}", err=True)
