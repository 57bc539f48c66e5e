"""``custody incident open``, ``widen`` and ``note``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from custody.cli import options
from custody.cli.incident.completing import INCIDENT
from custody.cli.incident.saying import tell
from custody.cli.incident.signing import reason, sign_with, signer_of
from custody.model.incidents import SeedKind
from custody.model.verdicts import Severity
from custody.settings.catalog import Settings

P = ParamSpec("P")
R = TypeVar("R")

_SEEDS = {
    SeedKind.KEY: ("KEY", "A credential: its key, as `custody trace` takes it."),
    SeedKind.IDENTITY: ("NAME", "An identity, as the register names it."),
    SeedKind.ADDRESS: ("IP", "An address that somebody works from."),
    SeedKind.FINDING: ("F-ID", "A finding of the last audit."),
    SeedKind.ALERT: ("LEAF", "The sealed record of an alert, by its leaf."),
}


def seeded(function: Callable[P, R]) -> Callable[P, R]:
    """Add the options that say what it grows from; each may be repeated."""
    for kind, (metavar, told) in reversed(_SEEDS.items()):
        function = click.option(f"--{kind.value}", kind.value, multiple=True, metavar=metavar, help=told)(function)
    return function


@click.command("open")
@click.option("--title", required=True, metavar="TEXT", help="What it is, in a few words.")
@click.option("--severity", type=click.Choice([each.value for each in Severity]), default="high", show_default=True)
@reason
@click.option("--aware", metavar="TIME", help="When people came to know of it, RFC 3339.")
@seeded
@sign_with
@options.responding
@options.as_json
def OPEN(  # noqa: N802
    title: str, severity: str, reason: str, aware: str | None, sign_with: Path | None, settings: Settings,
    as_json: bool, **seeds: tuple[str, ...],
) -> None:  # fmt: skip
    """Open an incident; everything about it has one id from then on.

    The response file (--response) is sealed with it, with its policies and the allowed signers (--signers): they hold
    for this incident to its end. The same again, while it is open, opens nothing.
    """
    from custody.pipeline.incidents.opening import Wanted, open_incident, seeds_of
    from custody.pipeline.incidents.sealing import desk_of

    given = seeds_of(settings, _given(seeds))
    wanted = Wanted(title=title, severity=Severity(severity), reason=reason, seeds=given, aware=aware)
    tell(open_incident(desk_of(settings), wanted, signer_of(sign_with)), settings, as_json=as_json)


@click.command("widen")
@click.argument("incident", shell_complete=INCIDENT)
@reason
@seeded
@sign_with
@options.responding
@options.as_json
def WIDEN(  # noqa: N802
    incident: str, reason: str, sign_with: Path | None, settings: Settings, as_json: bool, **seeds: tuple[str, ...]
) -> None:
    """Add what the scope of INCIDENT grows from."""
    from custody.pipeline.incidents.closing import widen
    from custody.pipeline.incidents.opening import seeds_of
    from custody.pipeline.incidents.sealing import desk_of

    given = seeds_of(settings, _given(seeds))
    tell(widen(desk_of(settings), incident, given, reason, signer_of(sign_with)), settings, as_json=as_json)


@click.command("note")
@click.argument("incident", shell_complete=INCIDENT)
@click.argument("text")
@click.option("--cite", multiple=True, metavar="LEAF", help="A leaf that it is about; once for each.")
@sign_with
@options.responding
@options.as_json
def NOTE(  # noqa: N802
    incident: str, text: str, cite: tuple[str, ...], sign_with: Path | None, settings: Settings, as_json: bool
) -> None:
    """Have TEXT said of INCIDENT, sealed."""
    from custody.pipeline.incidents.closing import note
    from custody.pipeline.incidents.opening import leaf_of
    from custody.pipeline.incidents.sealing import desk_of

    cites = [leaf_of(settings, each) for each in cite]
    tell(note(desk_of(settings), incident, text, cites, signer_of(sign_with)), settings, as_json=as_json)


def _given(seeds: dict[str, tuple[str, ...]]) -> list[tuple[SeedKind, str]]:
    return [(kind, value) for kind in SeedKind for value in seeds[kind.value]]
