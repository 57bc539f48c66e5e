"""``custody verify``: check everything."""

from __future__ import annotations

from pathlib import Path

import click

from custody.cli import options
from custody.cli.exits import CODES
from custody.settings.catalog import Settings


@click.command("verify")
@click.option("--vkey", help="The verifier key to trust, as text or a file; without it the one in the key folder.")
@click.option(
    "--against", type=click.Path(path_type=Path, exists=True), metavar="CHECKPOINT", help="A checkpoint held elsewhere."
)
@options.verifying
@options.as_json
def COMMAND(vkey: str | None, against: Path | None, settings: Settings, as_json: bool) -> int:  # noqa: N802
    """Rebuild the log from its entries and check every file of the store against it. Reads only."""
    from custody.cli.output import emit
    from custody.cli.progress import verifying
    from custody.pipeline.verify import verify

    with verifying() as progress:
        found = verify(settings, vkey, against, progress)
    if as_json:
        emit(found)
    else:
        from custody.cli.verification import described

        click.echo(described(found))
    return {"ok": CODES["done"], "unfinished": CODES["unfinished"]}.get(found.status, CODES["store"])
