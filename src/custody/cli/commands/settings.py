"""``custody settings``: what holds, and why."""

from __future__ import annotations

import os

import click

from custody.cli import options
from custody.settings.catalog import Plain, Settings

SIZES = {"memory": 1 << 20, "max_record": 1, "max_content": 1}
"""The settings that are sizes, and how many bytes one of each is."""

UNITS = ("", "KiB", "MiB", "GiB", "TiB")


@click.command("settings")
@options.every
@options.as_json
def COMMAND(settings: Settings, as_json: bool) -> None:  # noqa: N802
    """Show every setting and where its value came from: flag, environment, file or default."""
    from custody.cli.output import emit

    described = settings.described()
    if as_json:
        emit({"settings": described, "file": None if settings.file is None else str(settings.file)})
        return
    rows = [(name, _shown(name, value["value"]), str(value["from"])) for name, value in described.items()]
    columns = max(len(text) for _, text, _ in rows)
    for name, text, layer in rows:
        click.echo(f"{name:<12} {text:<{columns}}  {layer}")
    click.echo(f"{'file':<12} {'none' if settings.file is None else settings.file}")


def _shown(name: str, value: Plain) -> str:
    """As it would be written in a flag: sizes with the largest unit that divides them. Several as in a variable."""
    if value is None or value == []:
        return "none"
    if isinstance(value, list):
        return os.pathsep.join(value)
    if isinstance(value, str) or name not in SIZES:
        return str(value)
    size, unit = value * SIZES[name], 0
    while size and size % 1024 == 0 and unit < len(UNITS) - 1:
        size, unit = size // 1024, unit + 1
    return f"{size}{UNITS[unit]}"
