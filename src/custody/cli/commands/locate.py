"""``custody locate``: from a file to the leaves of its records."""

from __future__ import annotations

from pathlib import Path

import click

from custody.cli import options
from custody.cli.exits import CODES
from custody.settings.catalog import Settings


@click.command("locate")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@options.locating
@options.as_json
def COMMAND(file: Path, settings: Settings, as_json: bool) -> int:  # noqa: N802
    """Say for each record of FILE at which leaf it is sealed."""
    from custody.cli.output import emit
    from custody.pipeline.locate import locate
    from custody.reports.safe import plain

    located, problems = locate(settings, file)
    missing = sum(one.leaf is None for one in located)
    if as_json:
        emit({"file": str(file), "records": located, "missing": missing, "problems": problems})
    else:
        for one in located:
            leaf = "not sealed" if one.leaf is None else f"leaf {one.leaf.index}"
            member = f"{plain(one.member)}  " if one.member else ""
            place = f"bytes {one.at} to {one.at + one.length}"
            gone = "" if one.erased is None else f"  erased (leaf {one.erased.statement.index})"
            click.echo(f"{leaf:<12} {place:<26} {plain(one.source)} {member}{plain(one.id)}{gone}")
        click.echo(f"{len(located) - missing} of {len(located)} records are sealed", err=True)
        for problem in problems:
            click.echo(f"not read: {plain(problem)}", err=True)
    if problems:
        return CODES["input"]
    return CODES["not found"] if missing else CODES["done"]
