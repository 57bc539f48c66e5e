"""``custody deny``: deny a request."""

from __future__ import annotations

import click

from custody.cli import options
from custody.cli.approving.deciding import decide, deciding
from custody.settings.catalog import Settings


@click.command("deny")
@click.argument("request")
@deciding
@options.approving
@options.as_json
def COMMAND(request: str, settings: Settings, **given: object) -> None:  # noqa: N802
    """Deny the request REQUEST, and seal that in the log of approvals: it beats every grant, and cannot be taken back.

    What is signed is printed first; it is signed as `custody approve` says.
    """
    decide(settings, request, "deny", given)
