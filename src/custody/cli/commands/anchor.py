"""``custody anchor``: have the checkpoint held elsewhere."""

from __future__ import annotations

from pathlib import Path

import click

from custody.cli import options
from custody.cli.exits import CODES
from custody.settings.catalog import Settings

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("anchor")
@click.option(
    "--policy", type=FILE, metavar="FILE", help="A C2SP tlog-policy: every witness in it that has an address."
)
@click.option("--tsa", metavar="URL", help="A time-stamping authority (RFC 3161).")
@click.option("--tsa-roots", type=FILE, metavar="PEM", help="The roots under which its time stamps are checked.")
@click.option("--list", "listed", is_flag=True, help="Show the anchors that are sealed; nothing is sent.")
@options.verifying
@options.as_json
def COMMAND(  # noqa: N802
    policy: Path | None, tsa: str | None, tsa_roots: Path | None, listed: bool, settings: Settings, as_json: bool
) -> int:
    """Have the log's checkpoint cosigned by witnesses and time-stamped, and seal what they answered.

    Only the checkpoint leaves this machine: the log's name, its size and its root. From then on its owner cannot show
    another log of that size to whoever trusts the witness or the authority.
    """
    from custody.cli.output import emit
    from custody.pipeline.anchor import anchor, held

    if listed:
        found = held(settings, policy, tsa_roots)
        if as_json:
            emit({"anchors": found})
        else:
            _show(found)
        return CODES["done"]
    done = anchor(settings, policy, tsa, tsa_roots)
    if as_json:
        emit(done)
    else:
        _show(done.sealed)
    for problem in done.problems:
        from custody.reports.safe import plain

        click.echo(f"custody: {plain(problem)}", err=True)
    return CODES["done"] if done.sealed and not done.problems else CODES["input"]


def _show(anchors: tuple[object, ...]) -> None:
    from custody.pipeline.anchor import Anchor
    from custody.reports.safe import plain

    for one in anchors:
        assert isinstance(one, Anchor)
        state = "holds" if one.holds else plain(one.problem) or "not checked: give --tsa-roots"
        trust = "" if one.trusted or not one.holds else ", by the statement's own word: give --policy"
        click.echo(f"size {one.size:,}  {one.how}  {one.time}  leaf {one.leaf}")
        click.echo(f"  {plain(one.by)[:76]}")
        click.echo(f"  {state}{trust}")
    if not anchors:
        click.echo("no anchor is sealed: tamper-evident to holders of an earlier checkpoint")
