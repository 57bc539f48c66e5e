"""``custody register export``: the register for version control, spreadsheets and programs."""

from __future__ import annotations

from pathlib import Path

import click

from custody.cli import options
from custody.cli.register.asking import asking, register
from custody.settings.catalog import Settings


@click.command("export")
@click.option("--format", "form", type=click.Choice(["yaml", "csv", "json"]), default="yaml", show_default=True)
@click.option("--document", metavar="NAME", help="Which document, for YAML, where several are in force.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Instead of stdout."
)
@asking
@options.reading
@options.as_json
def COMMAND(  # noqa: N802
    form: str,
    document: str | None,
    output: Path | None,
    as_of: str | None,
    known_at: str | None,
    settings: Settings,
    as_json: bool,
) -> None:
    """Write the register: YAML to put under version control, CSV for a spreadsheet, or JSON.

    The YAML is the sealed document, with every identity that was seen and is declared nowhere added to it: fill in
    owner and purpose, sign it, import it.
    """
    from custody.cli.output import emit
    from custody.pipeline.registering.export import export

    with register(settings, as_of, known_at) as found:
        written = export(found, "json" if as_json and output is None else form, document)
    if output is None:
        click.echo(written, nl=False)
        return
    output.write_bytes(written.encode())
    if as_json:
        emit({"file": str(output), "format": form, "bytes": len(written.encode())})
    else:
        click.echo(f"wrote {output}", err=True)
