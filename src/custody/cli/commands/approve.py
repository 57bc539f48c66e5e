"""``custody approve``: grant a request, or take a grant back."""

from __future__ import annotations

import click

from custody.cli import options
from custody.cli.approving.deciding import decide, deciding
from custody.settings.catalog import Settings


@click.command("approve")
@click.argument("request")
@click.option("--until", metavar="TIME", help="When the grant ends, RFC 3339.  [default: when the request lapses]")
@click.option("--withdraw", is_flag=True, help="Take back a grant of your own, once and for all.")
@deciding
@options.approving
@options.as_json
def COMMAND(request: str, withdraw: bool, settings: Settings, **given: object) -> None:  # noqa: N802
    """Grant the request REQUEST exactly as it is shown, and seal that in the log of approvals.

    What is signed is printed first. It is signed by --sign-with KEY (ssh-keygen, checked against --signers), or
    elsewhere: --write FILE, then --signature FILE.sig; or an OpenID Connect token says who decides (--token-file).
    """
    decide(settings, request, "withdraw" if withdraw else "grant", given)
