"""``custody contain``: what is alive, and what would end it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from custody.cli import options
from custody.settings.catalog import Settings

if TYPE_CHECKING:
    from custody.chains.containment import Containment


@click.command("contain")
@click.argument("key")
@options.reading
@options.as_json
def COMMAND(key: str, settings: Settings, as_json: bool) -> None:  # noqa: N802
    """Say what is alive of the credential KEY and its descendants, what would end each, and what else that would end.

    Read-only: it names the commands, it runs none.
    """
    from custody.cli.output import emit, style
    from custody.pipeline.contain import containment

    found = containment(settings, key)
    if as_json:
        emit(found)
        return
    from custody.reports.terminal.containment import containment as shown

    click.echo(shown(found, style(settings)), nl=False)
    click.echo("".join(_next(found, settings)), nl=False)


def _next(found: Containment, settings: Settings) -> list[str]:
    """How to open an incident: on the finding about it where there is one, else on the first that is alive."""
    from custody.cli.incident.next_steps import opening
    from custody.pipeline.report import stored
    from custody.reports.safe import plain
    from custody.reports.words import short_key

    keys = [member.key for member in found.members if member.alive]
    if not keys:
        return []
    known = next((each.id for key in keys for each in stored(settings).findings if each.subject == key), None)
    seed = f"--key {short_key(keys[0])}" if known is None else f"--finding {known}"
    return [f"\n→ {plain(opening(seed, settings))}\n"]
