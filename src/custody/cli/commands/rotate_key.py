"""``custody rotate-key``: go on with a new signing key."""

from __future__ import annotations

import click

from custody.cli import options
from custody.settings.catalog import Settings


@click.command("rotate-key")
@click.option("--reason", required=True, help="Why, sealed with it.")
@options.verifying
@options.as_json
def COMMAND(reason: str, settings: Settings, as_json: bool) -> None:  # noqa: N802
    """Sign with a new key from now on; the old one signs that this is so, and is then gone.

    Whoever holds the old verifier key can go on with it: verify follows the rotation. Give the new key to your
    witnesses (custody witness know), and to those who hold the old one.
    """
    from custody.cli.output import emit
    from custody.pipeline.rotate_key import rotate_key

    done = rotate_key(settings, reason)
    if as_json:
        emit(done)
        return
    click.echo(f"before  {done.before}")
    click.echo(f"now     {done.vkey}")
    click.echo(f"sealed, {done.size:,} leaves; the old seed is gone here, not from copies of it")
