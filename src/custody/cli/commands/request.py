"""``custody request``: the requests that need approval, from the sealed log."""

from __future__ import annotations

import click

from custody.cli import options
from custody.cli.approving.deciding import broker_file, broker_file_of, digest
from custody.settings.catalog import Settings

STATES = ("pending", "approved", "rejected", "lapsed", "issued")


@click.group("request")
def COMMAND() -> None:  # noqa: N802
    """Requests for credentials that people have to approve, as the broker sealed them: no broker has to be running."""


@COMMAND.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only those that stand so.")
@broker_file
@options.reading
@options.as_json
def listed(state: str | None, settings: Settings, as_json: bool, **given: object) -> None:
    """List the requests that need, or needed, approval, and how each stands."""
    from custody.broker.desk import RequestState
    from custody.cli.approving.page import fields_of, listing
    from custody.cli.output import emit, style
    from custody.pipeline.approving import signing as approving

    every = approving.listed(settings, None if state is None else RequestState(state), broker_file_of(given))
    if as_json:
        emit({"requests": [fields_of(each) for each in every]})
    else:
        click.echo("\n".join(listing(every, style(settings))))


@COMMAND.command("show")
@click.argument("request")
@click.option("--all", "everything", is_flag=True, help="Also the exact text that is approved.")
@digest
@broker_file
@options.reading
@options.as_json
def shown(
    request: str, everything: bool, digest: str | None, settings: Settings, as_json: bool, **given: object
) -> None:
    """Show the request REQUEST: who asks for what and for how long, who approves, the digest, what was decided."""
    from custody.cli.approving.page import fields_of, page
    from custody.cli.output import emit, style
    from custody.pipeline.approving import signing as approving

    found = approving.shown(settings, request, digest, broker_file_of(given))
    if as_json:
        emit({"request": fields_of(found)})
    else:
        click.echo("\n".join(page(found, style(settings), everything=everything)))
