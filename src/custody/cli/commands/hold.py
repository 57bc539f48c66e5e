"""``custody hold``: legal holds, under which nothing is erased."""

from __future__ import annotations

import click

from custody.cli import options
from custody.settings.catalog import Settings


@click.group("hold")
def COMMAND() -> None:  # noqa: N802
    """Legal holds: nothing that one covers is erased while it is in force. Holds and releases are sealed statements."""


@COMMAND.command("add")
@click.argument("name")
@click.option("--identity", "identities", multiple=True, metavar="NAME", help="An identity, by any name it has.")
@click.option("--credential", "credentials", multiple=True, metavar="KEY", help="One credential, as trace takes it.")
@options.leaves
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Every record of a source.")
@click.option("--period", "periods", multiple=True, metavar="FROM..TO", help="What happened then, or may have.")
@click.option("--all", "everything", is_flag=True, help="Every record, also those that come later.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is sealed for good, so name no person in it.")
@click.option("--owner", metavar="WHO", help="Who answers for it: a team or role, such as team:legal.")
@options.packing
@options.as_json
def add(
    name: str,
    identities: tuple[str, ...],
    credentials: tuple[str, ...],
    leaves: tuple[tuple[int, int], ...],
    sources: tuple[str, ...],
    periods: tuple[str, ...],
    everything: bool,
    reason: str,
    owner: str | None,
    settings: Settings,
    as_json: bool,
) -> None:
    """Put a hold called NAME in force. What its options name adds up; records that come later are covered too."""
    from custody.cli.erasure import held
    from custody.cli.output import emit
    from custody.pipeline.erasing import hold

    scope = hold.Scope(
        everything=everything,
        identities=identities,
        credentials=credentials,
        leaves=leaves,
        sources=sources,
        periods=tuple(map(options.period, periods)),
    )
    made = hold.add(settings, name, scope, reason, owner)
    if as_json:
        emit(made)
    else:
        click.echo(held(made))


@COMMAND.command("release")
@click.argument("name")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is sealed for good, so name no person in it.")
@options.packing
@options.as_json
def release(name: str, reason: str, settings: Settings, as_json: bool) -> None:
    """End the hold called NAME. Nothing is erased by that."""
    from custody.cli.erasure import held
    from custody.cli.output import emit
    from custody.pipeline.erasing import hold

    ended = hold.release(settings, name, reason)
    if as_json:
        emit(ended)
    else:
        click.echo(held(ended))


@COMMAND.command("list")
@click.option("--every", is_flag=True, help="Those that were released too.")
@options.reading
@options.as_json
def listing(every: bool, settings: Settings, as_json: bool) -> None:
    """List the holds in force. An incident is one by itself: incident:ID."""
    from custody.cli.erasure import listed
    from custody.cli.output import emit
    from custody.pipeline.erasing import incidents

    found = incidents.listed(settings)
    shown = found.holds if every else found.in_force
    if as_json:
        emit({"holds": shown})
    else:
        click.echo(listed(shown))
