"""``custody show``: one sealed record."""

from __future__ import annotations

import sys

import click

from custody.cli import options
from custody.errors import NotFound
from custody.settings.catalog import Settings


@click.command("show")
@click.argument("event")
@click.option("--raw", is_flag=True, help="Only the kept bytes, exactly.")
@options.reading
@options.as_json
def COMMAND(event: str, raw: bool, settings: Settings, as_json: bool) -> None:  # noqa: N802
    """Show the record EVENT (an event id or a leaf): where it came from, its leaf, what is kept, what it means.

    Secrets are masked in what is kept. With several sealed values of one identity (a conflict) all are shown.
    """
    from custody.cli.output import emit, style
    from custody.pipeline.show import show

    found = show(settings, event)
    if raw:
        for one in found:
            data = one.raw()
            if data is None:
                told = "the payload is withheld" if one.erased is None else one.erased.sentence()
                raise NotFound(told, where=f"operations:{one.leaf.index}", found=one.form)
            sys.stdout.buffer.write(data if len(found) == 1 else data + b"\n")
        sys.stdout.buffer.flush()
    elif as_json:
        emit(found[0] if len(found) == 1 else {"values": found})
    else:
        from custody.cli.record import described

        click.echo("\n".join(described(one, style(settings)) for one in found))
