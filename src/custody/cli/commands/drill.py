"""``custody drill``: a break-glass and an incident from beginning to end, measured."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from custody.cli import options
from custody.cli.exits import CODES
from custody.errors import UsageError

if TYPE_CHECKING:
    from custody.pipeline.drills.scoring import Drill, Kind, Measured, Played
    from custody.pipeline.glass.targets import Target
    from custody.settings.catalog import Settings

KINDS: tuple[Kind, ...] = ("break-glass", "incident")
SEEDS = 1_000_000
"""A seed that is drawn is below this: short enough to be typed again."""
WIDE = 24
"""Letters of the longest name of a step or figure, and a little more."""


@click.command("drill")
@click.argument("kind", required=False, type=click.Choice(KINDS))
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Play in this new folder, and leave everything there.  [default: it goes again]",
)  # fmt: skip
@click.option(
    "--targets", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE",
    help="Targets of steps and figures (TOML), where the usual ones do not fit.",
)  # fmt: skip
@click.option("--postgres", is_flag=True, help="The break-glass against a PostgreSQL server that is started for it.")
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="N",
    help="The incident of this seed.  [default: one is drawn, and told]",
)  # fmt: skip
@click.option("--no-evidence", is_flag=True, help="Seal nothing in the store.")
@options.opening
@options.as_json
def COMMAND(  # noqa: N802
    kind: Kind | None,
    folder: Path | None,
    targets: Path | None,
    postgres: bool,
    seed: int | None,
    no_evidence: bool,
    settings: Settings,
    as_json: bool,
) -> int:
    """Play a break-glass, an incident, or without KIND both, on stores that are thrown away.

    What came out is sealed in the store. Exit code 5 where a step was not done or took too long, or a figure is off its
    target. What is measured is the machines' part: how long people take is not in it (docs/drill.md).
    """
    from custody.cli.output import emit
    from custody.pipeline.drills.scoring import targets_of

    kinds = KINDS if kind is None else (kind,)
    _check(kinds, folder, postgres=postgres, seeded=seed is not None)
    wanted = {each: targets_of(targets, each) for each in kinds}
    found: list[tuple[Drill, int | None]] = []
    with tempfile.TemporaryDirectory(prefix="custody-drill-") as thrown_away:
        for each in kinds:
            place = (folder or Path(thrown_away)).absolute() / each  # settings take paths from their own folder
            if each == "incident":
                one = _incident(place, wanted[each], secrets.randbelow(SEEDS) if seed is None else seed, as_json)
            else:
                one = _break_glass(place, wanted[each], postgres=postgres, as_json=as_json)
            found.append((one, None if no_evidence else _kept(settings, one)))
            if not as_json:
                _end(*found[-1])
    met = all(one.met for one, _ in found)
    if as_json:
        emit({"met": met, "drills": [_fields(*each) for each in found]})
    return CODES["done" if met else "findings"]


def _check(kinds: tuple[Kind, ...], folder: Path | None, *, postgres: bool, seeded: bool) -> None:
    if postgres and "break-glass" not in kinds:
        raise UsageError("no database takes part in an incident", where="--postgres", expected="drill break-glass")
    if seeded and "incident" not in kinds:
        raise UsageError("nothing is drawn for a break-glass", where="--seed", expected="drill incident")
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise UsageError("the folder is not empty", where=str(folder))


def _break_glass(folder: Path, targets: Mapping[str, float], *, postgres: bool, as_json: bool) -> Drill:
    try:
        from custody.serve.composing import compose
    except ImportError as error:
        advice = "Install it with: pip install 'custody[broker]'"
        raise UsageError("the broker is not installed", found=str(error.name), advice=advice) from None
    from custody.pipeline.glass.drilling import drill

    with closing(_target(postgres=postgres)) as target:
        _begin("break-glass", f"against {target.kind}", as_json)
        watch = _quiet if as_json else _shown
        return asyncio.run(drill(folder, target, compose, targets, secrets.token_bytes, watch))


def _incident(folder: Path, targets: Mapping[str, float], seed: int, as_json: bool) -> Drill:
    from custody.pipeline.drills.drilling import Watched, drill

    _begin("incident", f"on the estate of seed {seed} (--seed {seed} plays it again)", as_json)
    watched = Watched(_quiet if as_json else _shown)
    return drill(folder, seed, targets, (_Clock(), secrets.token_bytes), watched)


def _target(*, postgres: bool) -> Target:
    from custody.pipeline.glass.targets import MemoryTarget
    from custody.pipeline.glass.targets_postgresql import PostgresqlTarget

    return PostgresqlTarget() if postgres else MemoryTarget()


def _kept(settings: Settings, found: Drill) -> int:
    from custody import __version__
    from custody.pipeline.drills.scoring import keep

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
    fields: dict[str, object] = {"kind": found.kind, "drill": found.drill, "target": found.target, "met": found.met}
    fields |= {"steps": steps, "leaf": place, "size": found.size, "root": found.root}
    if found.kind == "incident":
        fields |= {"seed": found.seed, "pack": found.pack, "measures": [_measure(each) for each in found.measures]}
        names = ("question", "state", "held")
        fields["answers"] = [dict(zip(names, each, strict=True)) for each in found.answers]
    return fields


def _measure(each: Measured) -> dict[str, object]:
    return {"name": each.name, "value": each.value, "target": each.target, "met": each.met, "told": each.told}


def _begin(kind: Kind, told: str, as_json: bool) -> None:
    if not as_json:
        click.echo(f"{kind}, {told}")


def _end(found: Drill, leaf: int | None) -> None:
    """The figures, whether all was met and else why not, and where that is sealed."""
    from custody.pipeline.drills.scoring import said_of
    from custody.reports.safe import plain

    for each in found.measures:
        click.echo(f"{'ok  ' if each.met else 'MISS'} {each.name:<{WIDE}} {said_of(each)}")
    for question, state, held in found.answers:
        click.echo(plain(f"     {held:<{WIDE}} {question}: {state}"))
    click.echo(f"\n{'met' if found.met else 'NOT MET'}  {found.drill}, against {found.target}")
    for why in found.misses:
        click.echo(plain(f"         {why}"))
    click.echo("nothing was sealed\n" if leaf is None else f"sealed   operations:{leaf}\n")


def _shown(each: Played) -> None:
    from custody.reports.safe import plain

    mark = "ok  " if each.met else "MISS" if each.done else "FAIL"
    click.echo(plain(f"{mark} {each.step:<{WIDE}} {each.seconds:8.3f} s of {each.target:6.1f} s  {each.told}"))


def _quiet(_: Played) -> None:
    """Programs get one object, at the end."""


class _Clock:
    def now(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z."""
        return time.time_ns() // 1000
