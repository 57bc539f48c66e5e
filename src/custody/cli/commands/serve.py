"""``custody serve``: the broker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from custody.cli import options
from custody.errors import UsageError

if TYPE_CHECKING:
    from custody.settings.catalog import Settings


@click.command("serve")
@click.argument("file", type=click.Path(path_type=Path), required=False, metavar="[BROKER.TOML]")
@click.option("--demo", is_flag=True, help="A broker to try out, with an issuer of its own, under --folder.")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path("custody-broker"), show_default=True, metavar="DIR",
    help="Where everything of the demo is.",
)  # fmt: skip
@click.option("--check", is_flag=True, help="Say whether the file and all it names can be used, and serve nothing.")
@options.every
def COMMAND(file: Path | None, demo: bool, folder: Path, check: bool, settings: Settings) -> None:  # noqa: N802
    """Issue short-lived credentials to workloads, with the evidence built in (docs/broker.md).

    BROKER.TOML says whom it believes, what may be asked for, and which backends make it. Nothing is issued before the
    intent is durable in the broker's log, and nothing is handed over before the outcome is. SIGTERM stops it in order.
    """
    if (file is None) != demo:
        raise UsageError("give a broker file, or --demo", advice="docs/broker.md says what stands in the file.")
    try:
        import custody.serve.service  # noqa: F401  # whether its libraries are there
    except ImportError as error:
        advice = "Install it with: pip install 'custody[broker]'"
        raise UsageError("the broker is not installed", found=str(error.name), advice=advice) from None
    if demo:
        _demo(folder)
    elif file is not None:
        _serve(file, settings, check=check)


def _serve(file: Path, settings: Settings, *, check: bool) -> None:
    import uvloop

    from custody.serve.composing import compose
    from custody.serve.service import serve
    from custody.settings.broker_file import read_broker_file

    composed = compose(settings, read_broker_file(file))
    backends = ", ".join(sorted(composed.backends)) or "none"
    click.echo(f"broker   {composed.file.broker} on {composed.file.listen}, backends: {backends}", err=True)
    click.echo(
        f"policies {len(composed.policies.current.policies)}, {composed.policies.current.sha256[:16]}…", err=True
    )
    if check:
        composed.tables.close()
        return
    uvloop.run(serve(composed))


def _demo(folder: Path) -> None:
    import uvloop

    from custody.serve.demo import LISTEN, Folder
    from custody.serve.demonstrating import demonstrate, shown

    place = Folder(folder)
    fresh = place.prepare(LISTEN)
    settings = options.resolved({"config": str(place.path / "custody.toml")})
    click.echo(shown(folder, fresh=fresh), err=True)
    uvloop.run(demonstrate(place, settings))
