"""``custody incident list`` and ``status``."""

from __future__ import annotations

import time

import click

from custody.cli import options
from custody.cli.incident.completing import INCIDENT
from custody.settings.catalog import Settings


@click.command("list")
@options.reading
@options.as_json
def LIST(settings: Settings, as_json: bool) -> None:  # noqa: N802
    """List every incident of the store."""
    from custody.cli.incident.page import fields, listing
    from custody.cli.output import emit, style
    from custody.pipeline.incidents.reading import read

    record, now = read(settings), time.time_ns() // 1000
    if as_json:
        unread = [{"log": each.log, "index": each.index} for each in record.unread]
        emit({"incidents": [fields(each, now) for each in record.incidents], "unread": unread})
        return
    click.echo("\n".join(listing(record.incidents, record.unread, now, style(settings))))


@click.command("status")
@click.argument("incident", shell_complete=INCIDENT)
@options.reading
@options.as_json
def STATUS(incident: str, settings: Settings, as_json: bool) -> None:  # noqa: N802
    """Show how far each action of INCIDENT is: who asked, who decided and whether that counts, what was done.

    Everything is read and checked again from the two logs alone, signatures and decisions of the policies with it.
    """
    from custody.cli.incident.page import fields, status
    from custody.cli.output import emit, style
    from custody.pipeline.incidents.reading import one

    found, now = one(settings, incident), time.time_ns() // 1000
    if as_json:
        emit(fields(found, now))
        return
    click.echo("\n".join(status(found, now, style(settings))))
