"""``custody review close``: the end of a review."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from custody.cli import options
from custody.settings.catalog import Settings

if TYPE_CHECKING:
    from custody.pipeline.reviewing.closing import Closed

LOG = "approvals"


@click.command("close")
@click.argument("name")
@click.option("--accept", metavar="REASON", help="Close it though something was not seen carried out, and why.")
@options.approving
@options.as_json
def COMMAND(name: str, accept: str | None, settings: Settings, as_json: bool) -> None:  # noqa: N802
    """Close the review NAME: all of it is decided, and what was to be removed or narrowed is, as the logs show.

    What is still open is listed, and only --accept closes the review then. The close is sealed in the log of approvals.
    """
    from custody.cli.output import emit
    from custody.pipeline.reviewing.closing import close

    found = close(settings, name, accept)
    if as_json:
        plain = {field: getattr(found, field) for field in found.__struct_fields__}
        emit({**plain, "leaf": {"log": LOG, "index": found.leaf}})
        return
    click.echo("\n".join(_lines(found)))


def _lines(found: Closed) -> list[str]:
    from custody.register.carried import Carried
    from custody.reports.safe import plain
    from custody.reports.terminal.layout import COLUMNS, labelled, wrapped
    from custody.reports.words import counted, number

    done = sum(each.state is Carried.DONE for each in found.actions)
    rows = [("closed", f"{found.review}  leaf {LOG}:{found.leaf}")]
    if found.actions:
        rows.append(("carried out", f"{number(done)} of {counted(len(found.actions), 'action')}, as of {found.as_of}"))
    rows += [
        (each.state.value, f"{each.choice.value} {each.identity}: {each.text}")
        for each in found.actions
        if each.state is not Carried.DONE
    ]
    if found.accepted is not None:
        rows.append(("accepted", found.accepted))
    rows += [("note", note) for note in found.notes]
    return [line for label, text in rows for line in labelled(label, wrapped(plain(text), COLUMNS - 14))]
