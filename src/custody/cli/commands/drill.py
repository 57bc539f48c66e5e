"""``custody drill``: a break-glass from beginning to end, measured."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from custody.cli import options
from custody.cli.exits import CODES
from custody.errors import UsageError

if TYPE_CHECKING:
    from custody.pipeline.glass.scoring import Drill, Played
    from custody.pipeline.glass.targets import Target
    from custody.settings.catalog import Settings


@click.command("drill")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Play it in this new folder, and leave everything there.  [default: it goes again]",
)  # fmt: skip
@click.option(
    "--targets", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE",
    help="Seconds that each step may take (TOML), where the usual ones do not fit.",
)  # fmt: skip
@click.option("--postgres", is_flag=True, help="Against a PostgreSQL server that is started for it.")
@click.option("--no-evidence", is_flag=True, help="Seal nothing in the store.")
@options.opening
@options.as_json
def COMMAND(  # noqa: N802
    folder: Path | None, targets: Path | None, postgres: bool, no_evidence: bool, settings: Settings, as_json: bool
) -> int:
    """Play a break-glass on a broker that is thrown away: prepare, open, use, detect, revoke, rotate, ingest, review.

    What came out is sealed in the store. Exit code 5 where a step was not done, or took longer than its target. What
    is measured is the machines' part: how long people take is not in it (docs/break-glass.md).
    """
    from custody.cli.output import emit
    from custody.pipeline.glass.scoring import targets_of

    wanted = targets_of(targets)
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise UsageError("the folder is not empty", where=str(folder))
    with tempfile.TemporaryDirectory(prefix="custody-drill-") as thrown_away:
        found = _played(folder or Path(thrown_away), wanted, postgres=postgres, as_json=as_json)
    leaf = None if no_evidence else _kept(settings, found)
    if as_json:
        emit(_fields(found, leaf))
    else:
        click.echo(f"\n{'met' if found.met else 'NOT MET'}  {found.drill}, against {found.target}")
        click.echo("nothing was sealed" if leaf is None else f"sealed   operations:{leaf}")
    return CODES["done" if found.met else "findings"]


def _played(folder: Path, targets: dict[str, float], *, postgres: bool, as_json: bool) -> Drill:
    try:
        from custody.serve.composing import compose
    except ImportError as error:
        advice = "Install it with: pip install 'custody[broker]'"
        raise UsageError("the broker is not installed", found=str(error.name), advice=advice) from None
    from custody.pipeline.glass.drilling import drill

    with closing(_target(postgres=postgres)) as target:
        watch = _quiet if as_json else _shown
        return asyncio.run(drill(folder, target, compose, targets, secrets.token_bytes, watch))


def _target(*, postgres: bool) -> Target:
    from custody.pipeline.glass.targets import MemoryTarget
    from custody.pipeline.glass.targets_postgresql import PostgresqlTarget

    return PostgresqlTarget() if postgres else MemoryTarget()


def _kept(settings: Settings, found: Drill) -> int:
    from custody import __version__
    from custody.pipeline.glass.scoring import keep

    return keep(settings, found, __version__, _Clock())


def _fields(found: Drill, leaf: int | None) -> dict[str, object]:
    steps = [
        {
            "step": each.step,
            "seconds": round(each.seconds, 3),
            "target": each.target,
            "done": each.done,
            "met": each.met,
            "told": each.told,
        }
        for each in found.steps
    ]
    place = None if leaf is None else {"log": "operations", "index": leaf}
    return {"drill": found.drill, "target": found.target, "met": found.met, "steps": steps, "leaf": place}


def _shown(each: Played) -> None:
    from custody.reports.safe import plain

    mark = "ok  " if each.met else "MISS" if each.done else "FAIL"
    click.echo(plain(f"{mark} {each.step:<12} {each.seconds:8.3f} s of {each.target:6.1f} s  {each.told}"))


def _quiet(_: Played) -> None:
    """Programs get one object, at the end."""


class _Clock:
    def now(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z."""
        return time.time_ns() // 1000
