"""``custody incident claim``, ``close`` and ``reopen``."""

from __future__ import annotations

from pathlib import Path

import click

from custody.cli import options
from custody.cli.incident.completing import INCIDENT
from custody.cli.incident.items import ItemChoice
from custody.cli.incident.saying import tell
from custody.cli.incident.signing import reason, sign_with, signer_of
from custody.model.incidents import Item
from custody.settings.catalog import Settings


@click.command("claim")
@click.argument("incident", shell_complete=INCIDENT)
@click.argument("item", type=ItemChoice())
@click.option("--identity", required=True, metavar="NAME", help="Of which identity.")
@reason
@click.option("--cite", multiple=True, metavar="LEAF", help="A leaf where that can be seen; once for each.")
@sign_with
@options.responding
@options.as_json
def CLAIM(  # noqa: N802
    incident: str, item: str, identity: str, reason: str, cite: tuple[str, ...], sign_with: Path | None,
    settings: Settings, as_json: bool,
) -> None:  # fmt: skip
    """Say that ITEM of the checklist of an identity is done, and where that can be seen."""
    from custody.pipeline.incidents.closing import claim
    from custody.pipeline.incidents.opening import leaf_of
    from custody.pipeline.incidents.sealing import desk_of

    cites = [leaf_of(settings, each) for each in cite]
    found = claim(desk_of(settings), incident, Item(item), identity, reason, cites, signer_of(sign_with))
    tell(found, settings, as_json=as_json)


@click.command("close")
@click.argument("incident", shell_complete=INCIDENT)
@reason
@sign_with
@options.responding
@options.as_json
def CLOSE(incident: str, reason: str, sign_with: Path | None, settings: Settings, as_json: bool) -> None:  # noqa: N802
    """Close INCIDENT. It is refused while an action is open: neither settled, nor proved by the target's own log."""
    from custody.pipeline.incidents.closing import close, judge_of
    from custody.pipeline.incidents.sealing import desk_of

    tell(
        close(desk_of(settings), incident, reason, judge_of(settings), signer_of(sign_with)), settings, as_json=as_json
    )


@click.command("reopen")
@click.argument("incident", shell_complete=INCIDENT)
@reason
@sign_with
@options.responding
@options.as_json
def REOPEN(incident: str, reason: str, sign_with: Path | None, settings: Settings, as_json: bool) -> None:  # noqa: N802
    """Open INCIDENT again."""
    from custody.pipeline.incidents.closing import reopen
    from custody.pipeline.incidents.sealing import desk_of

    tell(reopen(desk_of(settings), incident, reason, signer_of(sign_with)), settings, as_json=as_json)
